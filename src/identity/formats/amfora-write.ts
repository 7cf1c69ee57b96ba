// A piece of Amfora's configuration, and the files that it names.
//
// Amfora up to 1.9 knows whole sites only, and has no use for a name with a path in it. Later ones compare paths as texts,
// so a path gets a slash at its end. All of them make the names of their settings small before they look at them, so a
// path with capital letters cannot be said.

import { join, resolve } from 'node:path'
import type { IdentityScope } from '../wallet/scope.ts'
import { certificateText, type ExportPlan, fileName, keyText, type Outgoing, privateFile } from './export-files.ts'
import { problemAt } from './import-context.ts'
import type { ImportProblem } from './imported-identity.ts'
import { toPrefix } from './prefix-scope.ts'

export async function planAmfora(identities: readonly Outgoing[], directory: string): Promise<ExportPlan> {
  const problems: ImportProblem[] = []
  // By the name of the setting, where the files are but for their endings.
  const settings = new Map<string, string>()
  const report = (identity: Outgoing, what: string): void => {
    const message = `${identity.certificate.fingerprint} ${what}`
    problems.push(problemAt('ERR_TLACACOCA_IDENTITY_SCOPE_UNSUPPORTED', {}, message))
  }
  for (const identity of identities) {
    if (identity.scopes.length === 0) report(identity, 'has no scope, and Amfora will not show it anywhere')
    for (const scope of identity.scopes) {
      const { name, isNarrower, problem } = settingOf(scope)
      if (problem !== null) report(identity, `is not in the configuration for ${scope}: ${problem}`)
      else if (settings.has(name)) report(identity, `is not in the configuration for ${scope}, another one is`)
      else {
        const itself = isNarrower ? `, and not at ${scope} itself` : ''
        if (!scope.isWholeOrigin) {
          report(identity, `is shown below ${scope} by Amfora after 1.9 only${itself}; up to then it knows whole sites`)
        }
        settings.set(name, join(resolve(directory), fileName(identity)))
      }
    }
  }
  const { stringify } = await import('smol-toml')
  const table = (ending: string): Record<string, string> =>
    Object.fromEntries([...settings].map(([name, path]) => [name, `${path}${ending}`]))
  const files = identities.flatMap((identity) => [
    privateFile(join(directory, `${fileName(identity)}.key`), keyText(identity)),
    privateFile(join(directory, `${fileName(identity)}.crt`), certificateText(identity)),
  ])
  const fragment = `${INTRODUCTION}${stringify({ auth: { certs: table('.crt'), keys: table('.key') } })}\n`
  return { files: [...files, privateFile(join(directory, 'amfora.toml'), fragment)], problems }
}

const INTRODUCTION = `# Put the lines of the two tables into those of Amfora's config.toml. Wherever the files
# go, their names here go with them.

`

interface Setting {
  readonly name: string
  readonly isNarrower: boolean
  readonly problem: string | null
}

function settingOf(scope: IdentityScope): Setting {
  const { prefix, isNarrower } = toPrefix(scope)
  const name = prefix.slice('gemini://'.length)
  const problem = !prefix.startsWith('gemini://')
    ? 'Amfora knows no identities for this protocol'
    : name !== name.toLowerCase()
      ? 'Amfora makes capital letters small'
      : null
  // The whole of a site is told by its host alone, which is how people write it.
  return { name: scope.isWholeOrigin ? name.slice(0, -1) : name, isNarrower, problem }
}
