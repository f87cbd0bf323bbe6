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

export function alerts(prefix: string): readonly Alert[] {
  return [...collectorAlerts(), ...kafkaAlerts(prefix), ...flinkAlerts(), ...lakeAlerts()]
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
      alert: 'LandingLags',
      expr: `sum by (topic) (kafka_consumergroup_lag{${topics}}) / sum by (topic) (rate(kafka_topic_partition_current_offset{${topics}}[10m])) > 300`,
      for: '10m',
      severity: 'page',
      summary: 'Records of {{ $labels.topic }} wait for more than five minutes before they land.',
      runbook: 'lag',
    },
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

function flinkAlerts(): Alert[] {
  return [
    {
      alert: 'NoJobs',
      expr: 'absent(flink_jobmanager_numRunningJobs) or max(flink_jobmanager_numRunningJobs) == 0',
      for: '5m',
      severity: 'page',
      summary: 'Flink runs no job: nothing lands.',
      runbook: 'lost-checkpoint',
    },
    {
      alert: 'NoCheckpoints',
      expr: 'increase(flink_jobmanager_job_numberOfCompletedCheckpoints[15m]) == 0',
      for: '5m',
      severity: 'page',
      summary:
        'The job {{ $labels.job_name }} has completed no checkpoint for 15 minutes: nothing of it is committed.',
      runbook: 'lag',
    },
    {
      alert: 'CheckpointsFail',
      expr: 'increase(flink_jobmanager_job_numberOfFailedCheckpoints[30m]) > 3',
      for: '5m',
      severity: 'ticket',
      summary: 'Checkpoints of the job {{ $labels.job_name }} fail.',
      runbook: 'lost-checkpoint',
    },
    {
      alert: 'JobRestarts',
      expr: 'increase(flink_jobmanager_job_numRestarts[15m]) > 3',
      for: '1m',
      severity: 'page',
      summary: 'The job {{ $labels.job_name }} fails again and again.',
      runbook: 'poisoned-record',
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
