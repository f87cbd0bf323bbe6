/** Jars of clusters with their checksums: `node scripts/pin-cluster.ts` writes them from the poms of scripts/pins. */
import type { Artifact } from './fetch.ts'

export const KAFKA_JARS: readonly Artifact[] = [
  {
    name: 'at/yawk/lz4/lz4-java/1.11.2/lz4-java-1.11.2.jar',
    bytes: 897831,
    sha256: '8a7458657938e9b692224db83aac458c13abd7a59ab75c3d3b08bd2233a646a2',
  },
  {
    name: 'com/dynatrace/hash4j/hash4j/0.22.0/hash4j-0.22.0.jar',
    bytes: 316573,
    sha256: '23028a3fd006e530bf495f551083208187cafd8f80624d048eba56442f16a50e',
  },
  {
    name: 'com/fasterxml/jackson/core/jackson-annotations/2.21/jackson-annotations-2.21.jar',
    bytes: 82104,
    sha256: '53ca085f4a150f703f49e1aabd935bd03b43e1ea3d55d135438292af22cef56b',
  },
  {
    name: 'com/fasterxml/jackson/core/jackson-core/2.21.7/jackson-core-2.21.7.jar',
    bytes: 594782,
    sha256: '8c5623b98f32d5f7e1287ff61ed50e08ab7b11381e991fff89327faabba42261',
  },
  {
    name: 'com/fasterxml/jackson/core/jackson-databind/2.21.7/jackson-databind-2.21.7.jar',
    bytes: 1709095,
    sha256: '1290c2795e93e8a6861a6c4d9ff0d844d32f5ea178362cb2721edf5561e828b1',
  },
  {
    name: 'com/fasterxml/jackson/dataformat/jackson-dataformat-yaml/2.21.7/jackson-dataformat-yaml-2.21.7.jar',
    bytes: 63001,
    sha256: 'df2b3e6a194181dc067b7211d750926b4ae9e4f3c892a0005b8219a9b59be681',
  },
  {
    name: 'com/fasterxml/jackson/datatype/jackson-datatype-jdk8/2.21.7/jackson-datatype-jdk8-2.21.7.jar',
    bytes: 36039,
    sha256: 'b8f62f98363ed9aa259b3a479a64fcbe7e081158a8bec6733972e900d12f4e47',
  },
  {
    name: 'com/github/ben-manes/caffeine/caffeine/3.2.0/caffeine-3.2.0.jar',
    bytes: 906581,
    sha256: 'ec411dfdf0c03f25218648ce89861630b71680e5858a9a7278ebac8e55cab3d7',
  },
  {
    name: 'com/github/luben/zstd-jni/1.5.7-17/zstd-jni-1.5.7-17.jar',
    bytes: 6323239,
    sha256: 'c9043e2da8a16c13b6cd7661a5cb56685a573c3546ef4bd0ead67b0b67c2e107',
  },
  {
    name: 'com/google/re2j/re2j/1.8/re2j-1.8.jar',
    bytes: 114335,
    sha256: '7b52c72156dd7f98b3237a5b35c1d34fba381b21048c89208913ad80a45dfbd7',
  },
  {
    name: 'com/typesafe/scala-logging/scala-logging_2.13/3.9.6/scala-logging_2.13-3.9.6.jar',
    bytes: 61614,
    sha256: '0ad0c3f4d89d538b3b6c300158555e266aa69cf1b5f6522aba8b5bad238eb994',
  },
  {
    name: 'com/yammer/metrics/metrics-core/2.2.0/metrics-core-2.2.0.jar',
    bytes: 82123,
    sha256: '6b7a14a6f34c10f8683f7b5e2f39df0f07b58c7dff0e468ebbc713905c46979c',
  },
  {
    name: 'commons-beanutils/commons-beanutils/1.11.0/commons-beanutils-1.11.0.jar',
    bytes: 246806,
    sha256: '9e44ba68ec9a3f21286fa2a8bbb003b735c0f69101bb43144b79f4f8aaa74709',
  },
  {
    name: 'commons-collections/commons-collections/3.2.2/commons-collections-3.2.2.jar',
    bytes: 588337,
    sha256: 'eeeae917917144a68a741d4c0dff66aa5c5c5fd85593ff217bced3fc8ca783b8',
  },
  {
    name: 'commons-digester/commons-digester/2.1/commons-digester-2.1.jar',
    bytes: 196768,
    sha256: 'e0b2b980a84fc6533c5ce291f1917b32c507f62bcad64198fff44368c2196a3d',
  },
  {
    name: 'commons-logging/commons-logging/1.3.5/commons-logging-1.3.5.jar',
    bytes: 73737,
    sha256: '6d7a744e4027649fbb50895df9497d109f98c766a637062fe8d2eabbb3140ba4',
  },
  {
    name: 'commons-validator/commons-validator/1.10.1/commons-validator-1.10.1.jar',
    bytes: 203132,
    sha256: 'ed74711a78d793ca37f6075e4a1e93d107233dfd20d0bb17e32bad88d38e56aa',
  },
  {
    name: 'net/sf/jopt-simple/jopt-simple/5.0.4/jopt-simple-5.0.4.jar',
    bytes: 78146,
    sha256: 'df26cc58f235f477db07f753ba5a3ab243ebe5789d9f89ecf68dd62ea9a66c28',
  },
  {
    name: 'net/sourceforge/argparse4j/argparse4j/0.7.0/argparse4j-0.7.0.jar',
    bytes: 90347,
    sha256: '65ceb669d88f63306c680f8088bbf765bbca72d288a61a03703000076c3d3f56',
  },
  {
    name: 'org/apache/kafka/kafka-clients/4.4.0/kafka-clients-4.4.0.jar',
    bytes: 10925782,
    sha256: '1ab07317eb6633241392449d329dbdc5d9251e6ffc4926860f42dd966e88bdf9',
  },
  {
    name: 'org/apache/kafka/kafka-coordinator-common/4.4.0/kafka-coordinator-common-4.4.0.jar',
    bytes: 125271,
    sha256: 'e380267a17981edbadaa2e2e785f18dc1b5671abf2d1084eb7da06a765c71d0c',
  },
  {
    name: 'org/apache/kafka/kafka-group-coordinator-api/4.4.0/kafka-group-coordinator-api-4.4.0.jar',
    bytes: 31213,
    sha256: 'bf11d7586c7363ba72a16ac5ef80c65365de9166469f7f6fc4ac5d2e0a98213a',
  },
  {
    name: 'org/apache/kafka/kafka-group-coordinator/4.4.0/kafka-group-coordinator-4.4.0.jar',
    bytes: 1052839,
    sha256: '3fc830ace54f6a13f9f536bc0564bf39a68797365a4c4b194bd7db4fb893b2bc',
  },
  {
    name: 'org/apache/kafka/kafka-metadata/4.4.0/kafka-metadata-4.4.0.jar',
    bytes: 870061,
    sha256: '6c52de74ecd670332e1e1324f5d40311275ac49b22699b6722e5fb07dd266fcb',
  },
  {
    name: 'org/apache/kafka/kafka-raft/4.4.0/kafka-raft-4.4.0.jar',
    bytes: 338700,
    sha256: '687f278ce5d82b7f53644643e21e1a7452530f202826108990f0fe4f3d334d4f',
  },
  {
    name: 'org/apache/kafka/kafka-server-common/4.4.0/kafka-server-common-4.4.0.jar',
    bytes: 411710,
    sha256: 'e50931831a27a2f3eb6cf74e8d63cc325b4e98656f30e94f8829297951ca5080',
  },
  {
    name: 'org/apache/kafka/kafka-server/4.4.0/kafka-server-4.4.0.jar',
    bytes: 525976,
    sha256: '5f5456c2976203525080220212639f7033274b94458ceabf44197f4800bd615c',
  },
  {
    name: 'org/apache/kafka/kafka-share-coordinator/4.4.0/kafka-share-coordinator-4.4.0.jar',
    bytes: 116547,
    sha256: '6969a7961ca98d37a039bbe0af0fe761d6b0dd07ca9666802f47821167afbb6e',
  },
  {
    name: 'org/apache/kafka/kafka-storage-api/4.4.0/kafka-storage-api-4.4.0.jar',
    bytes: 29795,
    sha256: 'edd47a86cdce283fc15d033090417a5dec29642eb807713f2e807e3c46b5ca46',
  },
  {
    name: 'org/apache/kafka/kafka-storage/4.4.0/kafka-storage-4.4.0.jar',
    bytes: 646984,
    sha256: '9eaa4dafacc251080ece0efa8511283da5de6931e843457f6af87f02f9b50039',
  },
  {
    name: 'org/apache/kafka/kafka-tools-api/4.4.0/kafka-tools-api-4.4.0.jar',
    bytes: 9605,
    sha256: '348b63a7d22739703ad34613a1154702568d462c3a8adb1dd655482251f4e529',
  },
  {
    name: 'org/apache/kafka/kafka-transaction-coordinator/4.4.0/kafka-transaction-coordinator-4.4.0.jar',
    bytes: 82042,
    sha256: '1d5324d59776d6b7f324cfdc87647b1e88f9823332201c0324e7ae9f210d915d',
  },
  {
    name: 'org/apache/kafka/kafka_2.13/4.4.0/kafka_2.13-4.4.0.jar',
    bytes: 1333804,
    sha256: '76d3314f873571677ff98620ab9a431e508e3687f921a3df4f70d692a970475e',
  },
  {
    name: 'org/apache/logging/log4j/log4j-api/2.24.3/log4j-api-2.24.3.jar',
    bytes: 348513,
    sha256: '5b4a0a0cd0e751ded431c162442bdbdd53328d1f8bb2bae5fc1bbeee0f66d80f',
  },
  {
    name: 'org/apache/logging/log4j/log4j-core/2.24.3/log4j-core-2.24.3.jar',
    bytes: 1914666,
    sha256: '7eb4084596ae25bd3c61698e48e8d0ab65a9260758884ed5cbb9c6e55c44a56a',
  },
  {
    name: 'org/apache/logging/log4j/log4j-slf4j-impl/2.24.3/log4j-slf4j-impl-2.24.3.jar',
    bytes: 25319,
    sha256: '40dec251164d1576e000968cd02e56a1125f46b91fb694a06dfa168f1335da48',
  },
  {
    name: 'org/bitbucket/b_c/jose4j/0.9.6/jose4j-0.9.6.jar',
    bytes: 299502,
    sha256: '7314af50cde9c99e8eaf43eee617a23edcc6bb43036221064355094999d837ef',
  },
  {
    name: 'org/hdrhistogram/HdrHistogram/2.2.2/HdrHistogram-2.2.2.jar',
    bytes: 177206,
    sha256: '22d1d4316c4ec13a68b559e98c8256d69071593731da96136640f864fa14fad8',
  },
  {
    name: 'org/jspecify/jspecify/1.0.0/jspecify-1.0.0.jar',
    bytes: 3819,
    sha256: '1fad6e6be7557781e4d33729d49ae1cdc8fdda6fe477bb0cc68ce351eafdfbab',
  },
  {
    name: 'org/pcollections/pcollections/4.0.2/pcollections-4.0.2.jar',
    bytes: 73718,
    sha256: '2bbeef5797a241300c4f7513cd546239629ed7deda4fc0c31df90bb95f5f13ef',
  },
  {
    name: 'org/scala-lang/scala-library/2.13.18/scala-library-2.13.18.jar',
    bytes: 5940741,
    sha256: '4e85d96ff7bc7dc627985523c3541b9917aaa08e956391380c42db21a2c4e5a0',
  },
  {
    name: 'org/scala-lang/scala-reflect/2.13.18/scala-reflect-2.13.18.jar',
    bytes: 3814367,
    sha256: '6935ff1982b2ac93d695f15aa66921be2f602921277afe002f018fd8c7d6e29b',
  },
  {
    name: 'org/slf4j/slf4j-api/1.7.36/slf4j-api-1.7.36.jar',
    bytes: 41125,
    sha256: 'd3ef575e3e4979678dc01bf1dcce51021493b4d11fb7f1be8ad982877c16a1c0',
  },
  {
    name: 'org/xerial/snappy/snappy-java/1.1.10.7/snappy-java-1.1.10.7.jar',
    bytes: 2338496,
    sha256: '4c766cb3f855415ee734b2392949a0b6f12a60879334a74518deaf6270d32e36',
  },
  {
    name: 'org/yaml/snakeyaml/2.5/snakeyaml-2.5.jar',
    bytes: 340015,
    sha256: 'e6682acf1ace77508ef13649cbf4f8d09d2cf5457bdb61d25ffb6ac0233d78dd',
  },
]

export const FLINK_JARS: readonly Artifact[] = [
  {
    name: 'com/google/code/findbugs/jsr305/3.0.2/jsr305-3.0.2.jar',
    bytes: 19936,
    sha256: '766ad2a0783f2687962c8ad74ceecc38a28b9f72a2d085ee438b7813e928d0c7',
  },
  {
    name: 'commons-logging/commons-logging/1.3.0/commons-logging-1.3.0.jar',
    bytes: 70816,
    sha256: '66d3c980470b99b0c511dad3dfc0ae7b265ec1fb144e96bc0253a8a175fd34d9',
  },
  {
    name: 'org/apache/flink/flink-sql-connector-kafka/4.0.1-2.0/flink-sql-connector-kafka-4.0.1-2.0.jar',
    bytes: 9777251,
    sha256: 'c7127a6518fba5d6b75eb4692229192e7147ea378e69c7b7cf16d0494057b0c3',
  },
  {
    name: 'org/apache/flink/flink-sql-gateway/2.1.3/flink-sql-gateway-2.1.3.jar',
    bytes: 1044631,
    sha256: 'ac677252fe6fe9dd32cc14c4aea16a2e36a8306469d61fcfdb57f45610bbb215',
  },
  {
    name: 'org/apache/hadoop/hadoop-client-api/3.4.3/hadoop-client-api-3.4.3.jar',
    bytes: 19669807,
    sha256: '6443332781f26a7199009d9517cd1eb013fbf54ca1c9759a2a9e487542b1d52a',
  },
  {
    name: 'org/apache/hadoop/hadoop-client-runtime/3.4.3/hadoop-client-runtime-3.4.3.jar',
    bytes: 30878646,
    sha256: 'bd20267b0555766ae84697dd888f074ca326d8e2ec3c0008928a6ac2966c67de',
  },
  {
    name: 'org/apache/iceberg/iceberg-flink-runtime-2.1/1.11.0/iceberg-flink-runtime-2.1-1.11.0.jar',
    bytes: 39122167,
    sha256: '39e658d876f253815b4b17c6676bebf6a24d517afe93a21298106d1d7fa97331',
  },
  {
    name: 'org/slf4j/slf4j-api/1.7.36/slf4j-api-1.7.36.jar',
    bytes: 41125,
    sha256: 'd3ef575e3e4979678dc01bf1dcce51021493b4d11fb7f1be8ad982877c16a1c0',
  },
  {
    name: 'org/xerial/snappy/snappy-java/1.1.10.4/snappy-java-1.1.10.4.jar',
    bytes: 2112099,
    sha256: '55b30c94e5c4cc2d4b6976916098d0678a8a6cc7427fa8c875621bd94e731ac8',
  },
]

export const IMAGE_JARS: readonly Artifact[] = [
  {
    name: 'org/apache/iceberg/iceberg-aws-bundle/1.11.0/iceberg-aws-bundle-1.11.0.jar',
    bytes: 63613165,
    sha256: '38f01da7e96850cdd05e6616d758b77b43314b712a8808e3f9a824d56976162f',
  },
]
