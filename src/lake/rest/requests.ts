/** Bodies of requests to the catalog (Iceberg REST specification), checked before anything looks at them. */
import { z } from 'zod'
import { error } from '../../base/errors.ts'
import { parseExact } from '../json.ts'
import { misfit, orderShape, specShape } from '../metadata-shape.ts'
import { requirementShape } from '../requirements.ts'
import type { NewOrder, NewSchema, NewSpec } from '../schema-updates.ts'
import { schemaShape } from '../metadata-shape.ts'
import { updateShape } from '../updates.ts'
import { newVersionShape, viewRequirementShape, viewUpdateShape } from '../view.ts'

const texts = z.record(z.string(), z.string())
const levels = z.array(z.string())
const identifierShape = z.looseObject({ namespace: levels, name: z.string() })

export const createNamespaceShape = z.looseObject({
  namespace: levels,
  properties: texts.nullish(),
})

export const namespacePropertiesShape = z.looseObject({
  removals: z.array(z.string()).nullish(),
  updates: texts.nullish(),
})

export const createTableShape = z.looseObject({
  name: z.string(),
  location: z.string().nullish(),
  schema: schemaShape as z.ZodType<NewSchema>,
  'partition-spec': (specShape as z.ZodType<NewSpec>).nullish(),
  'write-order': (orderShape as z.ZodType<NewOrder>).nullish(),
  'stage-create': z.boolean().nullish(),
  properties: texts.nullish(),
})

export const registerShape = z.looseObject({
  name: z.string(),
  'metadata-location': z.string().min(1),
  overwrite: z.boolean().nullish(),
})

export const renameShape = z.looseObject({
  source: identifierShape,
  destination: identifierShape,
})

export const commitShape = z.looseObject({
  identifier: identifierShape.nullish(),
  requirements: z.array(requirementShape).nullish(),
  updates: z.array(updateShape),
})

export const transactionShape = z.looseObject({
  'table-changes': z.array(
    z.looseObject({
      identifier: identifierShape,
      requirements: z.array(requirementShape).nullish(),
      updates: z.array(updateShape),
    }),
  ),
})

export const createViewShape = z.looseObject({
  name: z.string(),
  location: z.string().nullish(),
  schema: schemaShape as z.ZodType<NewSchema>,
  'view-version': newVersionShape,
  properties: texts.nullish(),
})

export const commitViewShape = z.looseObject({
  requirements: z.array(viewRequirementShape).nullish(),
  updates: z.array(viewUpdateShape),
})

/** The body as its shape says. Throws HeadwaterError `request_invalid`. */
export function read<Shape extends z.ZodType>(shape: Shape, body: Buffer): z.output<Shape> {
  let value: unknown
  try {
    value = parseExact(body.toString())
  } catch (cause) {
    throw error('request_invalid', 'The body is not JSON.', cause)
  }
  const problem = misfit(shape, value)
  if (problem !== undefined) throw error('request_invalid', `The request is not valid: ${problem}.`)
  // The value itself: a parsed copy would lose names such as __proto__.
  return value as z.output<Shape>
}
