// The names of a request, as `authorize` sees them: in the form in which they would be certified. Otherwise a hook that
// says no to `admin.example.org` is got round by `ADMIN.example.org.`, which is the same host.

import { readAlternativeNames } from '../certificate/alternative-names.ts'
import type { SubjectAltNames } from '../certificate/extensions.ts'

/** Each name in canonical form, once. What is no name of its kind is left as it is: no profile lets it through. */
export function claimedNames(names: SubjectAltNames): SubjectAltNames {
  const read = (kind: keyof SubjectAltNames): readonly string[] =>
    Object.freeze([...new Set(names[kind].map((name) => canonical(kind, name)))])
  return Object.freeze({ dns: read('dns'), ip: read('ip'), email: read('email'), uri: read('uri') })
}

function canonical(kind: keyof SubjectAltNames, name: string): string {
  try {
    return readAlternativeNames({ [kind]: [name] }, { wildcards: true })[kind][0] ?? name
  } catch {
    return name
  }
}
