/** Table schemas in Apache Iceberg's own JSON form (Iceberg spec, appendix C), which every engine maps from. */

export type IcebergType = string | IcebergStruct | IcebergList | IcebergMap

export interface IcebergStruct {
  readonly type: 'struct'
  readonly fields: readonly IcebergField[]
}

export interface IcebergField {
  readonly id: number
  readonly name: string
  readonly required: boolean
  /** A primitive name (`long`, `timestamptz`, `decimal(9, 2)`, …) or a nested type. */
  readonly type: IcebergType
  readonly doc?: string
}

export interface IcebergList {
  readonly type: 'list'
  readonly 'element-id': number
  readonly element: IcebergType
  readonly 'element-required': boolean
}

export interface IcebergMap {
  readonly type: 'map'
  readonly 'key-id': number
  readonly key: IcebergType
  readonly 'value-id': number
  readonly value: IcebergType
  readonly 'value-required': boolean
}

/** A table as headwater wants it to be: its columns, and the timestamptz column whose day it is partitioned by. */
export interface TableSchema {
  readonly name: string
  readonly doc: string
  readonly fields: readonly IcebergField[]
  /** Name of the column partitioned by `day`. */
  readonly partitionBy: string
}
