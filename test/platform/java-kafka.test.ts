/** Flink reaches the brokers as collectors do: one configuration, in the words of Java's client. */
import { describe, expect, test } from 'vitest'
import { readConfig } from '../../src/platform/index.ts'
import { javaKafkaProperties } from '../../src/platform/java-kafka.ts'

const SECURITY = 'org.apache.flink.kafka.shaded.org.apache.kafka.common.security'

describe('Java’s properties', () => {
  test('are none without TLS and SASL', () => {
    expect(javaKafkaProperties({ tls: undefined, sasl: undefined })).toEqual({})
  })

  test('of TLS with a certificate of one’s own', () => {
    const tls = { ca: 'CA', cert: 'CERT', key: 'KEY', passphrase: 'secret' }
    expect(javaKafkaProperties({ tls, sasl: undefined })).toEqual({
      'security.protocol': 'SSL',
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.certificates': 'CA',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.certificate.chain': 'CERT',
      'ssl.keystore.key': 'KEY',
      'ssl.key.password': 'secret',
    })
    expect(javaKafkaProperties({ tls: {}, sasl: undefined })).toEqual({
      'security.protocol': 'SSL',
    })
  })

  test.each([
    ['PLAIN', 'plain.PlainLoginModule'],
    ['SCRAM-SHA-256', 'scram.ScramLoginModule'],
    ['SCRAM-SHA-512', 'scram.ScramLoginModule'],
  ] as const)('of %s, whatever is in the password', (mechanism, module) => {
    const sasl = { mechanism, username: 'me', password: String.raw`a"b\c; d='e'` }
    expect(javaKafkaProperties({ tls: {}, sasl })).toEqual({
      'security.protocol': 'SASL_SSL',
      'sasl.mechanism': mechanism,
      'sasl.jaas.config': String.raw`${SECURITY}.${module} required username="me" password="a\"b\\c; d='e'";`,
    })
    expect(javaKafkaProperties({ tls: undefined, sasl })['security.protocol']).toBe(
      'SASL_PLAINTEXT',
    )
  })

  test('of OAuth, which asks for its tokens itself', () => {
    const token = { tokenUri: 'https://t', clientId: 'c', clientSecret: 's', scope: undefined }
    const sasl = { mechanism: 'OAUTHBEARER', token, extensions: {} } as const
    expect(javaKafkaProperties({ tls: {}, sasl })).toMatchObject({
      'sasl.oauthbearer.token.endpoint.url': 'https://t',
      'sasl.login.callback.handler.class': `${SECURITY}.oauthbearer.OAuthBearerLoginCallbackHandler`,
      'sasl.jaas.config': `${SECURITY}.oauthbearer.OAuthBearerLoginModule required clientId="c" clientSecret="s";`,
    })
  })
})

test('the options of Flink have defaults but for where it is', () => {
  const flink = { gateway: 'http://127.0.0.1:8083', rest: 'http://127.0.0.1:8081' }
  const config = readConfig({ cluster: { kafka: { brokers: ['127.0.0.1:9092'] }, flink } })
  expect(config.ok && config.value.cluster?.flink).toMatchObject({
    ...flink,
    checkpointSeconds: 10,
    copiesHours: 72,
    healthySeconds: 300,
    settings: {},
  })
  const without = readConfig({ cluster: { kafka: { brokers: ['127.0.0.1:9092'] }, flink: {} } })
  expect(without).toMatchObject({ ok: false, error: { code: 'config_invalid' } })
})
