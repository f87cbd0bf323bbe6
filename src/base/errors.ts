/** The one error table: every failure a user, operator or device can meet, by code. */

/** Who can mend it: the caller, something outside headwater (disk, network), or headwater itself. */
export type ErrorDomain = 'user' | 'external' | 'internal'

export interface ErrorEntry {
  readonly domain: ErrorDomain
  /** HTTP status where the error is answered over HTTP. */
  readonly status: number
  /** Whether the same call can succeed later without a change. */
  readonly retry: 'never' | 'later'
  /** What happened, in one sentence. */
  readonly summary: string
  /** What to do about it, in one sentence. */
  readonly remedy: string
}

const user = (status: number, summary: string, remedy: string): ErrorEntry => ({
  domain: 'user',
  status,
  retry: 'never',
  summary,
  remedy,
})
const external = (status: number, summary: string, remedy: string): ErrorEntry => ({
  domain: 'external',
  status,
  retry: 'later',
  summary,
  remedy,
})

/** Every code, sorted by the folder that raises it. docs/errors.md is checked against this table. */
export const ERRORS = {
  // spec
  spec_invalid: user(
    400,
    'A specification is not valid.',
    'Correct the field, event or line that the message names.',
  ),
  spec_incompatible: user(
    409,
    'A specification changed in a way that old data or old clients cannot follow.',
    'Undo the change, or add a new optional field beside the old one.',
  ),
  lock_invalid: user(
    400,
    'specs.lock.json cannot be read.',
    'Restore it from version control; it holds the permanent field ids.',
  ),
  lock_outdated: user(
    409,
    'The specifications have changed since specs.lock.json was written.',
    'Run `headwater dev` once, and commit the lockfile beside the specifications.',
  ),

  // client

  // collector: the request
  not_found: user(404, 'There is no such path.', 'See PROTOCOL.md §1 for the paths.'),
  method_not_allowed: user(405, 'The path does not take this method.', 'Use POST for events.'),
  key_missing: user(401, 'The request carries no write key.', 'Send Authorization: Bearer <key>.'),
  key_unknown: user(401, 'The write key is not known.', 'Use a key of headwater.config.ts.'),
  body_too_large: user(413, 'The body is over the limit.', 'Send fewer batches in a body.'),
  body_too_slow: user(408, 'The body did not arrive in time.', 'Send it again, faster or smaller.'),
  body_empty: user(400, 'The body is empty.', 'Send at least one batch.'),
  encoding_unknown: user(
    415,
    'The content encoding is not supported.',
    'Use gzip, zstd or no encoding.',
  ),
  body_corrupt: user(
    400,
    'The compressed body cannot be decompressed.',
    'Do not send it again; its bytes are in quarantine.',
  ),
  body_not_batches: user(
    400,
    'No batch can be read from the body.',
    'Do not send it again; its bytes are in quarantine. See PROTOCOL.md §2.',
  ),
  overloaded: external(429, 'The collector is at its limit.', 'Send again after Retry-After.'),
  late_days_busy: external(
    429,
    'Too many days of the past are being written at once.',
    'Send again after Retry-After; events of today are taken.',
  ),
  not_ready: external(503, 'The platform cannot take events now.', 'Send again after Retry-After.'),
  draining: external(503, 'The platform is shutting down.', 'Send again after Retry-After.'),

  // collector: reasons in quarantine (PROTOCOL.md §10)
  line_not_json: user(200, 'A line is not JSON.', 'Mend the encoder of the client.'),
  line_not_utf8: user(200, 'A line is not UTF-8.', 'Mend the encoder of the client.'),
  header_invalid: user(200, 'The header of a batch is not valid.', 'See PROTOCOL.md §3.'),
  chunk_invalid: user(200, 'A chunk is not valid.', 'See PROTOCOL.md §4.'),
  context_invalid: user(
    200,
    'A context value does not fit its specification.',
    'Mend setContext in the app, or the specification.',
  ),
  event_unknown: user(
    200,
    'No specification has this event type.',
    'Add it to specs.ts, then repair the quarantine.',
  ),
  column_length: user(
    200,
    'A column does not have one value per event.',
    'Mend the encoder of the client.',
  ),
  number_out_of_range: user(
    200,
    'An event number lies outside the batch.',
    'Mend the encoder of the client.',
  ),
  number_repeated: user(
    200,
    'An event number occurs twice in the batch.',
    'Mend the encoder of the client.',
  ),
  numbers_overlap: user(
    200,
    'The batch claims event numbers that another batch of the boot has.',
    'Mend the numbering of the client; a boot must be one start of one client.',
  ),
  batch_conflict: user(
    200,
    'The batch repeats (boot, seq) with other content.',
    'Mend the client; a boot id must be random and used by one client.',
  ),
  field_missing: user(200, 'A required field has no value.', 'Log the field, or make it optional.'),
  value_type: user(200, 'A value has the wrong type.', 'Log the type the specification names.'),
  value_range: user(200, 'A value is out of range.', 'Log a value inside min and max.'),
  value_too_long: user(200, 'A value is too long.', 'Shorten it, or raise maxLength.'),
  value_not_unicode: user(
    200,
    'A string has an unpaired surrogate.',
    'Cut strings between characters.',
  ),
  value_not_in_enum: user(
    200,
    'A value is not one of the enumeration.',
    'Add it to enumOf(…), or log a listed one.',
  ),
  value_too_deep: user(200, 'A json value is nested too deeply.', 'Flatten it.'),
  time_invalid: user(
    200,
    'The time of an event lies outside what can be stored.',
    'Mend the clock of the client.',
  ),

  // log
  disk_full: external(
    503,
    'There is no space left on the disk.',
    'Free space; it goes on by itself.',
  ),
  disk_failed: external(
    503,
    'The disk refuses reads or writes.',
    'Check the directory and its permissions; it goes on by itself.',
  ),
  log_corrupt: {
    domain: 'external',
    status: 500,
    retry: 'never',
    summary: 'A frame before the end of the log has a bad checksum.',
    remedy: 'Restore the segment from a copy, or see `headwater repair`.',
  },
  frame_too_large: user(413, 'A frame is over the limit.', 'Send smaller batches.'),
  broker_unavailable: external(
    503,
    'Kafka does not acknowledge records.',
    'Check cluster.kafka.brokers and the brokers; it goes on by itself.',
  ),
  broker_refused: external(
    503,
    'Kafka refuses what the collector asks for.',
    'Correct cluster.kafka (tls, sasl, replicas), or what Kafka grants; it goes on by itself.',
  ),
  topics_missing: user(
    404,
    'Topics are missing.',
    'Start the platform, which makes them; where cluster.kafka.manageTopics is off, make them.',
  ),

  // lake
  commit_conflict: external(409, 'Another writer committed first.', 'It is retried by itself.'),
  commit_repeated: user(
    400,
    'A Flink job commits a checkpoint that is in the table already.',
    'Nothing: the job starts again from that checkpoint, and finds that it is there.',
  ),
  commit_unknown: external(
    500,
    'It is not known whether the commit took place.',
    'It is resolved by itself with the next commit or at the next start.',
  ),
  lake_invalid: {
    domain: 'external',
    status: 500,
    retry: 'never',
    summary: 'The metadata of the lake cannot be read.',
    remedy: 'Restore the file that the message names.',
  },
  lake_locked: external(
    409,
    'Another process or data directory owns this lake.',
    'Stop it; or choose another directory; or take the lake over with the option lake.takeOver.',
  ),
  storage_unavailable: external(
    503,
    'The object store does not answer, or says that it is busy.',
    'It is tried again by itself; check the network and lake.s3.endpoint.',
  ),
  storage_denied: external(
    403,
    'The object store does not let us in.',
    'Give credentials that may list, read, write and delete: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role.',
  ),
  storage_missing: external(
    404,
    'There is no such bucket.',
    'Create it, or correct lake.location.',
  ),
  storage_refused: external(
    400,
    'The object store refused a request.',
    'Use a store that honours If-None-Match on PUT; the message says what it refused.',
  ),
  lake_fenced: {
    domain: 'user',
    status: 409,
    retry: 'never',
    summary: 'Another headwater writes these tables.',
    remedy: 'Stop it, or choose another namespace; see docs/external-catalog.md for taking over.',
  },
  catalog_refused: user(
    403,
    'The catalog refuses the credentials.',
    'Correct token or credential of lake.catalog, or what the catalog grants to it.',
  ),
  catalog_unavailable: external(
    503,
    'The catalog cannot be reached or does not answer.',
    'Check lake.catalog.uri and the catalog; it goes on by itself.',
  ),
  catalog_invalid: {
    domain: 'external',
    status: 502,
    retry: 'never',
    summary: 'The catalog refuses a request or its answer is not that of an Iceberg REST catalog.',
    remedy: 'Check lake.catalog.uri and what the message says.',
  },
  unsupported: user(
    501,
    'The table uses something that headwater does not read.',
    'Read it with another engine, or rewrite it without what the message names.',
  ),
  snapshot_unknown: user(
    404,
    'There is no such snapshot.',
    'See `select * from <table>.snapshots` for those that there are.',
  ),
  table_unknown: user(404, 'There is no such table.', 'See `headwater tables`.'),
  catalog_failed: {
    domain: 'internal',
    status: 500,
    retry: 'never',
    summary: 'The catalog failed on a request that it should have answered.',
    remedy: 'Report it with what the message says; tables are as they were.',
  },
  metadata_missing: {
    domain: 'external',
    status: 404,
    retry: 'never',
    summary: 'The metadata file of a table or view is gone.',
    remedy: 'Restore the file that the message names, or drop the table.',
  },
  table_exists: user(409, 'There is a table or a view of this name.', 'Choose another name.'),
  table_owned: user(
    400,
    'The table is written by headwater, and this change would break what it promises.',
    'See PROTOCOL.md §16 for what other engines may change.',
  ),
  view_unknown: user(404, 'There is no such view.', 'List the views of the namespace.'),
  namespace_unknown: user(404, 'There is no such namespace.', 'Create it first.'),
  namespace_exists: user(409, 'There is a namespace of this name.', 'Use it as it is.'),
  namespace_not_empty: user(
    409,
    'The namespace has tables, views or namespaces in it.',
    'Drop what is in it first.',
  ),
  update_invalid: user(
    400,
    'A commit would leave the table or view invalid.',
    'Correct the update that the message names.',
  ),
  request_invalid: user(
    400,
    'A request to the catalog is not valid.',
    'Correct the member that the message names.',
  ),
  request_contradictory: user(
    422,
    'A request to the catalog sets and removes the same property.',
    'Leave one of the two out.',
  ),
  token_refused: user(
    401,
    'The catalog does not know the token.',
    'Send Authorization: Bearer <token> with a token of catalog.tokens.',
  ),
  scope_refused: user(
    403,
    'The token may only read.',
    'Use a token of catalog.tokens whose scope is write.',
  ),
  host_refused: user(
    403,
    'The request came under a name that is not that of this machine.',
    'Use the address that the catalog listens on, or set catalog.tokens.',
  ),
  location_refused: user(
    400,
    'A location lies where tables may not be put.',
    'Leave it out, or choose one inside the warehouse that no other table has.',
  ),

  // engine
  query_failed: user(400, 'The query failed.', 'Correct the SQL that the message shows.'),
  engine_failed: external(500, 'The engine could not write an epoch.', 'It is retried by itself.'),

  // engine: Flink
  flink_unavailable: external(
    503,
    'Flink cannot be reached or does not answer in time.',
    'Check cluster.flink in headwater.config.ts, and that SQL Gateway and JobManager run.',
  ),
  flink_refused: user(
    400,
    'Flink refuses a statement or a request.',
    'See what the message says; its log has the whole reason.',
  ),
  flink_invalid: {
    domain: 'external',
    status: 502,
    retry: 'never',
    summary: 'The answer of Flink is not of the form that headwater knows.',
    remedy: 'Use Flink 2.1, which headwater is built for.',
  },
  deploy_refused: user(
    409,
    'What runs on Flink cannot be brought to what is wanted.',
    'Do what the message says, then deploy again.',
  ),
  deploy_failed: external(
    500,
    'The new job does not work.',
    'Correct what the message names, and deploy again; it says what runs meanwhile.',
  ),

  // cluster
  java_missing: user(
    404,
    'There is no Java to run Kafka and Flink on.',
    'Install Java 17 or 21, such as `apt-get install openjdk-17-jre-headless` or `brew install openjdk@17`; JAVA_HOME says which one to take.',
  ),
  java_unsuitable: user(
    409,
    'This Java does not run Kafka and Flink.',
    'Install Java 17 or 21 beside it, such as `apt-get install openjdk-17-jre-headless`, and set JAVA_HOME to it.',
  ),
  pip_missing: user(
    404,
    'There is no pip to fetch Flink with.',
    'Install Python 3 with pip, such as `apt-get install python3-pip`.',
  ),
  artifact_unavailable: external(
    503,
    'A part of the cluster cannot be fetched.',
    'Check the network, HEADWATER_MAVEN_URL and PIP_INDEX_URL, and run it again; what arrived is kept.',
  ),
  artifact_corrupt: {
    domain: 'external',
    status: 502,
    retry: 'never',
    summary: 'A part of the cluster is not the one that is pinned.',
    remedy: 'Check what the registry or its mirror serves; nothing of it was used.',
  },
  cluster_missing: user(404, 'There is no cluster here.', 'Run `headwater cluster up`.'),
  cluster_busy: external(
    409,
    'Another command is starting or stopping this cluster.',
    'Wait for it to end.',
  ),
  cluster_invalid: {
    domain: 'external',
    status: 500,
    retry: 'never',
    summary: 'The file that says what runs where cannot be read.',
    remedy: 'End its processes, remove the file, and run `headwater cluster up`.',
  },
  cluster_differs: user(
    409,
    'The cluster has data for another number of brokers.',
    'Leave --brokers out, or choose another folder.',
  ),
  cluster_failed: external(
    500,
    'A process of the cluster does not start or does not end.',
    'Read the end of its log, which the message names, then run the command again.',
  ),

  // platform and cli
  config_invalid: user(400, 'The configuration is not valid.', 'Correct the option it names.'),
  project_missing: user(404, 'There is no headwater project here.', 'Run `npx headwater init`.'),
  package_missing: user(404, 'A package is not installed.', 'Run `npm install`.'),
  folder_not_empty: user(409, 'The folder is not empty.', 'Name a folder that does not exist yet.'),
  program_missing: user(404, 'The program to run does not exist.', 'Correct --run or dev.run.'),
  listen_failed: external(
    500,
    'The collector cannot listen on its address.',
    'Set http.host and http.port to an address of this machine that this user may take.',
  ),
  port_in_use: external(500, 'The port is in use.', 'Stop the other process or set another port.'),
  node_too_old: user(500, 'This Node is too old.', 'Install Node 22.22 or newer.'),
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof ERRORS

/** An expected failure: its code, and a detail that says what and where. */
export class HeadwaterError extends Error {
  readonly code: ErrorCode
  readonly detail: string

  constructor(code: ErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail} ${ERRORS[code].remedy}`, options)
    this.name = 'HeadwaterError'
    this.code = code
    this.detail = detail
  }

  get entry(): ErrorEntry {
    return ERRORS[this.code]
  }
}

/** Shorthand: `error('disk_full', path)`. */
export function error(code: ErrorCode, detail: string, cause?: unknown): HeadwaterError {
  return new HeadwaterError(code, detail, cause === undefined ? undefined : { cause })
}
