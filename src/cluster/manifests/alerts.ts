/** Rules by which Prometheus tells that a cluster needs somebody: each names the part of the runbook that says what to do. */

export interface Alert {
  readonly alert: string
  /** PromQL; there is a value while something is wrong. */
  readonly expr: string
  readonly for: string
  /** `page`: events are refused or stand still. `ticket`: today. */
  readonly severity: 'page' | 'ticket'
  readonly summary: string
  /** Heading of docs/cluster.md, as its address. */
  readonly runbook: string
}

/** `prefix` is that of the topics, `intervalSeconds` the time between checkpoints. */
export function alerts(prefix: string, intervalSeconds: number): readonly Alert[] {
  return [
    ...collectorAlerts(),
    ...kafkaAlerts(prefix),
    ...landingAlerts(Math.max(300, 10 * intervalSeconds)),
    ...lakeAlerts(),
  ]
}

function collectorAlerts(): Alert[] {
  return [
    {
      alert: 'CollectorsRefuse',
      expr: 'sum(rate(headwater_responses_total{status=~"429|5.."}[5m])) / sum(rate(headwater_responses_total[5m])) > 0.01',
      for: '5m',
      severity: 'page',
      summary:
        'More than 1 % of requests of devices are refused; devices keep events and send later.',
      runbook: 'collectors-refuse',
    },
    {
      alert: 'NoEvents',
      expr: 'absent(headwater_responses_total) or sum(rate(headwater_landed_events_total[15m])) == 0',
      for: '15m',
      severity: 'page',
      summary: 'No collector takes events.',
      runbook: 'collectors-refuse',
    },
    {
      alert: 'BrokersRefuse',
      expr: 'min(headwater_broker_available) == 0',
      for: '1m',
      severity: 'page',
      summary: 'A collector gets no acknowledgement from the brokers.',
      runbook: 'full-broker',
    },
    {
      alert: 'EventsQuarantined',
      expr: 'sum(rate(headwater_quarantined_events_total[15m])) / (sum(rate(headwater_landed_events_total[15m])) + sum(rate(headwater_quarantined_events_total[15m]))) > 0.01',
      for: '15m',
      severity: 'ticket',
      summary: 'More than 1 % of events do not fit their specifications.',
      runbook: 'events-in-quarantine',
    },
  ]
}

function kafkaAlerts(prefix: string): Alert[] {
  const topics = `topic=~"${prefix.replaceAll('.', String.raw`\\.`)}\\\\..*"`
  return [
    {
      alert: 'BrokerDiskFills',
      expr: 'predict_linear(kubelet_volume_stats_available_bytes{persistentvolumeclaim=~"data-.*-kafka-.*"}[6h], 24 * 3600) < 0',
      for: '30m',
      severity: 'page',
      summary: 'The disk {{ $labels.persistentvolumeclaim }} is full within a day.',
      runbook: 'full-broker',
    },
    {
      alert: 'CopiesMissing',
      expr: `sum by (topic) (kafka_topic_partition_under_replicated_partition{${topics}}) > 0`,
      for: '10m',
      severity: 'ticket',
      summary: 'Partitions of {{ $labels.topic }} have fewer copies than they should.',
      runbook: 'full-broker',
    },
  ]
}

/** By what the process that keeps the lake sees of Flink, Kafka and the tables. `lateSeconds` is more than commits may take. */
function landingAlerts(lateSeconds: number): Alert[] {
  return [
    {
      alert: 'LandingLags',
      expr: `max by (table) (headwater_lag_seconds) > ${lateSeconds}`,
      for: '5m',
      severity: 'page',
      summary: `Records of {{ $labels.table }} wait for more than ${lateSeconds} s before they land.`,
      runbook: 'lag',
    },
    {
      alert: 'LagUnknown',
      expr: 'absent(headwater_kafka_offsets_known) or max(headwater_kafka_offsets_known) == 0',
      for: '10m',
      severity: 'ticket',
      summary:
        'Nobody can tell how far the landing is behind: the lake’s process or the brokers do not answer.',
      runbook: 'lag',
    },
    {
      alert: 'NoJobs',
      expr: 'absent(headwater_flink_job_running) or max(headwater_flink_job_running) == 0',
      for: '5m',
      severity: 'page',
      summary: 'No job lands records, or none can be seen.',
      runbook: 'lost-checkpoint',
    },
    {
      alert: 'NoCheckpoints',
      expr: `max(headwater_flink_checkpoint_age_seconds) > ${lateSeconds}`,
      for: '5m',
      severity: 'page',
      summary: `No checkpoint has been completed for ${lateSeconds} s: nothing since is in a table.`,
      runbook: 'lag',
    },
    {
      alert: 'CheckpointsFail',
      expr: 'max(delta(headwater_flink_checkpoints_failed[30m])) > 3',
      for: '5m',
      severity: 'ticket',
      summary: 'Checkpoints of the job fail.',
      runbook: 'lost-checkpoint',
    },
    {
      alert: 'JobRestarts',
      expr: 'max(delta(headwater_flink_job_restarts[15m])) > 3',
      for: '1m',
      severity: 'page',
      summary: 'The job fails again and again.',
      runbook: 'poisoned-record',
    },
    {
      alert: 'TablesStale',
      expr: '(time() - max(headwater_newest_received_seconds{table="batches"})) > 900 and on() sum(rate(headwater_landed_events_total[15m])) > 0',
      for: '5m',
      severity: 'page',
      summary: 'Events come, and the newest batch in the tables is older than 15 minutes.',
      runbook: 'lag',
    },
    {
      alert: 'EventsMissing',
      expr: 'min(headwater_complete_share{table="batches"}) < 0.99',
      for: '30m',
      severity: 'ticket',
      summary: 'More than 1 % of the events that devices numbered have not come.',
      runbook: 'events-that-are-missing',
    },
  ]
}

function lakeAlerts(): Alert[] {
  return [
    {
      alert: 'LakeStands',
      expr: 'changes(headwater_lake_version[15m]) == 0 and on() sum(rate(headwater_landed_events_total[15m])) > 0',
      for: '10m',
      severity: 'page',
      summary: 'Events come, and the lake has no commit for 15 minutes.',
      runbook: 'lag',
    },
    {
      alert: 'TablesUnread',
      expr: 'max(headwater_tables_readable) == 0',
      for: '10m',
      severity: 'ticket',
      summary: 'What Flink has written cannot be read: freshness and completeness are not known.',
      runbook: 'lag',
    },
    {
      alert: 'CatalogFails',
      expr: 'increase(headwater_catalog_failures[15m]) > 0',
      for: '5m',
      severity: 'ticket',
      summary: 'The catalog fails on requests that it should answer.',
      runbook: 'lag',
    },
    {
      alert: 'MaintenanceFails',
      expr: 'increase(headwater_maintenance_failures_total[6h]) > 3',
      for: '1h',
      severity: 'ticket',
      summary: 'Files are not merged: queries get slower.',
      runbook: 'lag',
    },
  ]
}
