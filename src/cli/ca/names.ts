// Names as they are typed: `CN=ca.net`, `dns:example.org`.

import type { AlternativeNames } from '../../certificate/alternative-names.ts'
import type { NameField } from '../../certificate/name-fields.ts'
import { UsageError } from '../exit-code.ts'

/** Fields of a name, each as `TYPE=value`. A value may hold anything, further equals signs too. */
export function readSubject(fields: readonly string[]): NameField[] {
  return fields.map((field) => {
    const equals = field.indexOf('=')
    if (equals < 1) throw new UsageError(`--subject expected a field such as CN=ca.net, got ${field}`)
    return [field.slice(0, equals), field.slice(equals + 1)]
  })
}

const KINDS = ['dns', 'ip', 'email', 'uri'] as const

/** Alternative names, each as `kind:value`. */
export function readNames(names: readonly string[]): AlternativeNames {
  const read: Partial<Record<(typeof KINDS)[number], string[]>> = {}
  for (const name of names) {
    const colon = name.indexOf(':')
    const kind = KINDS.find((each) => each === name.slice(0, colon))
    if (kind === undefined) throw new UsageError(`--san expected ${KINDS.join(':…, ')}:…, got ${name}`)
    const list = read[kind] ?? []
    list.push(name.slice(colon + 1))
    read[kind] = list
  }
  return read
}
