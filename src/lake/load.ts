/** Reads a table as one metadata file describes it. */
import path from 'node:path'
import { error } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { pathOf, type Table } from './append.ts'
import { decodeManifestList, type ManifestFile } from './manifest.ts'
import { currentSnapshot, parseMetadata } from './metadata.ts'

export async function loadTable(
  name: string,
  location: string,
  files: Files,
): Promise<Result<Table>> {
  const file = pathOf(location)
  const text = await read(file, files)
  if (!text.ok) return text
  const metadata = parseMetadata(text.value.toString(), file)
  if (!metadata.ok) return metadata
  const number = Number(/^(\d+)-/.exec(path.basename(file))?.[1] ?? NaN)
  if (!Number.isInteger(number)) return failed(error('lake_invalid', `${file} has no number.`))
  const snapshot = currentSnapshot(metadata.value)
  const manifests =
    snapshot === undefined ? ok([]) : await readList(pathOf(snapshot['manifest-list']), files)
  if (!manifests.ok) return manifests
  const folder = pathOf(metadata.value.location)
  const table = { name, folder, metadata: metadata.value, file: location, number }
  return ok({ ...table, manifests: manifests.value })
}

async function readList(file: string, files: Files): Promise<Result<ManifestFile[]>> {
  const bytes = await read(file, files)
  if (!bytes.ok) return bytes
  try {
    return ok(decodeManifestList(bytes.value))
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    return failed(error('lake_invalid', `${file}: ${message}.`, cause))
  }
}

async function read(file: string, files: Files): Promise<Result<Buffer>> {
  try {
    return ok(Buffer.from(await files.read(file)))
  } catch (cause) {
    return failed(error('lake_invalid', `${file} cannot be read.`, cause))
  }
}
