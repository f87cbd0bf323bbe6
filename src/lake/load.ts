/** Reads a table as one metadata file describes it. */
import { error, HeadwaterError } from '../base/errors.ts'
import { failed, ok, type Result } from '../base/result.ts'
import type { Table } from './append.ts'
import { decoded, decodeManifestList, type ManifestFile } from './manifest.ts'
import { currentSnapshot, parseMetadata } from './metadata.ts'
import { nameOf, type Storage } from './storage.ts'

export async function loadTable(
  name: string,
  location: string,
  storage: Storage,
): Promise<Result<Table>> {
  const text = await readText(location, storage)
  if (!text.ok) return text
  const metadata = parseMetadata(text.value, location)
  if (!metadata.ok) return metadata
  const number = Number(/^(\d+)-/.exec(nameOf(location))?.[1] ?? NaN)
  if (!Number.isInteger(number)) return failed(error('lake_invalid', `${location} has no number.`))
  const snapshot = currentSnapshot(metadata.value)
  const manifests =
    snapshot === undefined ? ok([]) : await readList(snapshot['manifest-list'], storage)
  if (!manifests.ok) return manifests
  return ok({
    name,
    metadata: metadata.value,
    file: location,
    number,
    manifests: manifests.value,
  })
}

/** Manifests that a manifest list names. */
export async function readList(
  location: string,
  storage: Storage,
): Promise<Result<ManifestFile[]>> {
  const bytes = await read(location, storage)
  if (!bytes.ok) return bytes
  try {
    return ok(decoded(location, bytes.value, decodeManifestList))
  } catch (cause) {
    if (cause instanceof HeadwaterError) return failed(cause)
    throw cause
  }
}

/** The text at a location; `lake_invalid` when it cannot be read. */
export async function readText(location: string, storage: Storage): Promise<Result<string>> {
  const bytes = await read(location, storage)
  return bytes.ok ? ok(bytes.value.toString()) : bytes
}

async function read(location: string, storage: Storage): Promise<Result<Buffer>> {
  try {
    return ok(Buffer.from(await storage.read(location)))
  } catch (cause) {
    if (cause instanceof HeadwaterError) return failed(cause)
    return failed(error('lake_invalid', `${location} cannot be read.`, cause))
  }
}
