// A folder as Lagrange keeps it, which it also reads from a ZIP file of an export.

import { join } from 'node:path'
import { readFileBytes } from '../../internal/atomic-file.ts'
import {
  certificateText,
  type ExportPlan,
  fileName,
  joinNotes,
  keyText,
  type Outgoing,
  privateFile,
} from './export-files.ts'
import {
  formatIdents,
  LAGRANGE_FLAGS,
  LAGRANGE_ICON,
  type LagrangeRecord,
  MAX_IDENTS_BYTES,
  parseIdents,
} from './idents-lgr.ts'
import { formatError, problemAt } from './import-context.ts'
import type { ImportProblem } from './imported-identity.ts'
import { toPrefix } from './prefix-scope.ts'
import { isMissing } from './source-file.ts'

type NewRecord = Omit<LagrangeRecord, 'offset'>

export async function planLagrange(
  identities: readonly Outgoing[],
  directory: string,
  overwrite: boolean,
): Promise<ExportPlan> {
  const problems: ImportProblem[] = []
  const notes = join(directory, 'idents.lgr')
  const records = new Map<string, NewRecord>()
  if (overwrite) for (const record of await readRecords(notes)) records.set(hex(record), record)
  for (const identity of identities) {
    const record = recordOf(identity, problems)
    // Whoever replaces a record means its notes and scopes. The icon is Lagrange's.
    records.set(hex(record), { ...record, icon: records.get(hex(record))?.icon ?? record.icon })
  }
  const files = identities.flatMap((identity) => [
    privateFile(join(directory, 'idents', `${fileName(identity)}.key`), keyText(identity)),
    privateFile(join(directory, 'idents', `${fileName(identity)}.crt`), certificateText(identity)),
  ])
  return { files: [...files, privateFile(notes, formatIdents(records.values()))], problems }
}

/** What Lagrange knows already of other identities, which must not be lost. */
async function readRecords(path: string): Promise<readonly LagrangeRecord[]> {
  let bytes: Uint8Array
  try {
    bytes = await readFileBytes(path, { maxBytes: MAX_IDENTS_BYTES })
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
  const { records, problems, isComplete } = parseIdents(bytes)
  const [problem] = problems
  if (isComplete || problem === undefined) return records
  const what = `${problem.message}; what it knows of other identities would be lost, so write into another folder`
  throw formatError(problem.kind, { file: path, offset: problem.offset }, what)
}

function recordOf(identity: Outgoing, problems: ImportProblem[]): NewRecord {
  const { name, notes, certificate, scopes } = identity
  const urls = scopes.map((scope) => {
    const { prefix, isNarrower } = toPrefix(scope)
    if (isNarrower) {
      const what = `Lagrange will show ${certificate.fingerprint} at what is below ${scope}, and not at that page itself`
      problems.push(problemAt('ERR_TLACACOCA_IDENTITY_SCOPE_UNSUPPORTED', {}, what))
    }
    return prefix
  })
  return {
    fingerprint: Buffer.from(fileName(identity), 'hex'),
    icon: LAGRANGE_ICON,
    notes: joinNotes(name, notes),
    flags: LAGRANGE_FLAGS.imported,
    urls: [...new Set(urls)].sort(),
  }
}

function hex({ fingerprint }: { readonly fingerprint: Uint8Array }): string {
  return Buffer.from(fingerprint).toString('hex')
}
