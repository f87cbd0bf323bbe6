/** The two images: headwater with a project, and Flink with the jars that landing needs, pinned by their checksums. */
import path from 'node:path'
import { MAVEN_CENTRAL } from '../fetch.ts'
import { FLINK_VERSION } from '../flink-distribution.ts'
import { FLINK_JARS, IMAGE_JARS } from '../pins.ts'
import type { Deployed } from './deployment.ts'

/** The user `node` of the image is 1000; Flink's is 9999. */
export function headwaterDockerfile({ project, folder, httpPort, catalogPort }: Deployed): string {
  return `# headwater with the project in ${project}: docker build -f ${path.posix.join(folder, 'Dockerfile')} -t headwater .
FROM node:24-bookworm AS build
WORKDIR /app
COPY . .
# Not \`npm ci\`, which refuses a lockfile without the optional packages of every platform.
RUN npm install --no-audit --no-fund && npm prune --omit=dev

FROM node:24-bookworm-slim
ENV NODE_ENV=production
COPY --from=build --chown=node:node /app /app
WORKDIR ${path.posix.join('/app', project)}
USER node
EXPOSE ${httpPort} ${catalogPort}
# SIGTERM lets it answer what it took and write what it has.
STOPSIGNAL SIGTERM
HEALTHCHECK CMD ["node", "-e", "fetch('http://127.0.0.1:${httpPort}/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/bin/headwater.js"]
CMD ["run"]
`
}

export function dockerIgnore(): string {
  return ['.git', '**/node_modules', 'dist', '**/.headwater', '**/*.log'].join('\n') + '\n'
}

/** The Gateway and the planner are in the distribution of the image. */
export function flinkDockerfile(): string {
  const jars = [...FLINK_JARS, ...IMAGE_JARS].filter(({ name }) => !inImage(name))
  const lines = jars.map(
    ({ name, sha256 }) =>
      `ADD --chown=flink:flink --checksum=sha256:${sha256} \${MAVEN}/${name} /opt/flink/lib/`,
  )
  return `# Flink with Kafka's connector and Iceberg: docker build -f flink.Dockerfile -t headwater-flink .
FROM flink:${FLINK_VERSION}-java17
ARG MAVEN=${MAVEN_CENTRAL}
${lines.join('\n')}
# Checkpoints in an object store.
RUN mkdir -p /opt/flink/plugins/s3 && cp /opt/flink/opt/flink-s3-fs-presto-${FLINK_VERSION}.jar /opt/flink/plugins/s3/
`
}

function inImage(name: string): boolean {
  return /\/(flink-sql-gateway|slf4j-api)\//.test(name)
}
