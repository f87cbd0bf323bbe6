# Made by `npx headwater cluster manifests --project deploy --out deploy --rate 100000`.
# Flink with Kafka's connector and Iceberg: docker build -f flink.Dockerfile -t headwater-flink .
FROM flink:2.1.3-java17
ARG MAVEN=https://repo.maven.apache.org/maven2
ADD --chown=flink:flink --checksum=sha256:766ad2a0783f2687962c8ad74ceecc38a28b9f72a2d085ee438b7813e928d0c7 ${MAVEN}/com/google/code/findbugs/jsr305/3.0.2/jsr305-3.0.2.jar /opt/flink/lib/
ADD --chown=flink:flink --checksum=sha256:66d3c980470b99b0c511dad3dfc0ae7b265ec1fb144e96bc0253a8a175fd34d9 ${MAVEN}/commons-logging/commons-logging/1.3.0/commons-logging-1.3.0.jar /opt/flink/lib/
ADD --chown=flink:flink --checksum=sha256:c7127a6518fba5d6b75eb4692229192e7147ea378e69c7b7cf16d0494057b0c3 ${MAVEN}/org/apache/flink/flink-sql-connector-kafka/4.0.1-2.0/flink-sql-connector-kafka-4.0.1-2.0.jar /opt/flink/lib/
ADD --chown=flink:flink --checksum=sha256:6443332781f26a7199009d9517cd1eb013fbf54ca1c9759a2a9e487542b1d52a ${MAVEN}/org/apache/hadoop/hadoop-client-api/3.4.3/hadoop-client-api-3.4.3.jar /opt/flink/lib/
ADD --chown=flink:flink --checksum=sha256:bd20267b0555766ae84697dd888f074ca326d8e2ec3c0008928a6ac2966c67de ${MAVEN}/org/apache/hadoop/hadoop-client-runtime/3.4.3/hadoop-client-runtime-3.4.3.jar /opt/flink/lib/
ADD --chown=flink:flink --checksum=sha256:39e658d876f253815b4b17c6676bebf6a24d517afe93a21298106d1d7fa97331 ${MAVEN}/org/apache/iceberg/iceberg-flink-runtime-2.1/1.11.0/iceberg-flink-runtime-2.1-1.11.0.jar /opt/flink/lib/
ADD --chown=flink:flink --checksum=sha256:55b30c94e5c4cc2d4b6976916098d0678a8a6cc7427fa8c875621bd94e731ac8 ${MAVEN}/org/xerial/snappy/snappy-java/1.1.10.4/snappy-java-1.1.10.4.jar /opt/flink/lib/
ADD --chown=flink:flink --checksum=sha256:38f01da7e96850cdd05e6616d758b77b43314b712a8808e3f9a824d56976162f ${MAVEN}/org/apache/iceberg/iceberg-aws-bundle/1.11.0/iceberg-aws-bundle-1.11.0.jar /opt/flink/lib/
# Checkpoints in an object store.
RUN mkdir -p /opt/flink/plugins/s3 && cp /opt/flink/opt/flink-s3-fs-presto-2.1.3.jar /opt/flink/plugins/s3/
