/** The same access to Kafka in the properties of Java's client, as Flink's connector takes them. */
import { unreachable } from '../base/assert.ts'
import type { KafkaSettings, SaslSettings, TlsSettings } from '../log/kafka/index.ts'

/** Flink's SQL connector brings Kafka's classes under names of its own. */
const SECURITY = 'org.apache.flink.kafka.shaded.org.apache.kafka.common.security'

/** Properties for TLS and SASL; none where neither is configured. */
export function javaKafkaProperties({
  tls,
  sasl,
}: Pick<KafkaSettings, 'tls' | 'sasl'>): Record<string, string> {
  if (tls === undefined && sasl === undefined) return {}
  const layer = tls === undefined ? 'PLAINTEXT' : 'SSL'
  return {
    'security.protocol': sasl === undefined ? layer : `SASL_${layer}`,
    ...(tls === undefined ? {} : tlsProperties(tls)),
    ...(sasl === undefined ? {} : saslProperties(sasl)),
  }
}

/** PEM as Java takes it since Kafka 2.7; its key must be PKCS #8. */
function tlsProperties({ ca, cert, key, passphrase }: TlsSettings): Record<string, string> {
  return {
    ...(ca === undefined
      ? {}
      : { 'ssl.truststore.type': 'PEM', 'ssl.truststore.certificates': ca }),
    ...(cert === undefined || key === undefined
      ? {}
      : {
          'ssl.keystore.type': 'PEM',
          'ssl.keystore.certificate.chain': cert,
          'ssl.keystore.key': key,
        }),
    ...(passphrase === undefined ? {} : { 'ssl.key.password': passphrase }),
  }
}

function saslProperties(sasl: SaslSettings): Record<string, string> {
  switch (sasl.mechanism) {
    case 'PLAIN':
    case 'SCRAM-SHA-256':
    case 'SCRAM-SHA-512': {
      const { mechanism, username, password } = sasl
      const module = mechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule'
      return {
        'sasl.mechanism': mechanism,
        'sasl.jaas.config': jaas(module, { username, password }),
      }
    }
    case 'OAUTHBEARER': {
      const { mechanism, token } = sasl
      const module = 'oauthbearer.OAuthBearerLoginModule'
      if (typeof token === 'string') {
        // Java takes tokens from a file or from whom it asks: who has one in hand names the file in `kafkaProperties`.
        return { 'sasl.mechanism': mechanism, 'sasl.jaas.config': jaas(module, {}) }
      }
      const { tokenUri, clientId, clientSecret, scope } = token
      return {
        'sasl.mechanism': mechanism,
        'sasl.oauthbearer.token.endpoint.url': tokenUri,
        'sasl.login.callback.handler.class': `${SECURITY}.oauthbearer.OAuthBearerLoginCallbackHandler`,
        'sasl.jaas.config': jaas(module, {
          clientId,
          clientSecret,
          ...(scope === undefined ? {} : { scope }),
        }),
      }
    }
    default:
      return unreachable(sasl)
  }
}

/** A line of Java's authentication configuration; a value is a string in quotation marks with Java's escapes. */
function jaas(module: string, values: Readonly<Record<string, string>>): string {
  const options = Object.entries(values).map(
    ([name, value]) => ` ${name}="${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`,
  )
  return `${SECURITY}.${module} required${options.join('')};`
}
