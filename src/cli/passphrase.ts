// Where a secret comes from. Never from the command line: what stands there is in the history of the shell, and in the
// list of processes for everybody on the machine.

import { type Command, Option } from 'commander'
import type { Passphrase } from '../certificate/passphrase.ts'
import { readFileBytes } from '../internal/atomic-file.ts'
import { UsageError } from './exit-code.ts'
import type { CliIo } from './io.ts'

/** The variable that holds a passphrase, if no file is named. */
export const PASSPHRASE_VARIABLE = 'TLACACOCA_PASSPHRASE'

export interface PassphraseOptions {
  readonly passphraseFile?: string | undefined
  /** The variable, where a command needs a second secret. Default {@link PASSPHRASE_VARIABLE}. */
  readonly variable?: string
}

/** Adds `--passphrase-file`, which a passphrase is read from: the first line of a file, or of a descriptor. */
export function withPassphrase<C extends Command>(command: C): C {
  const option = new Option(
    '--passphrase-file <file>',
    `read the passphrase from a file (else $${PASSPHRASE_VARIABLE}, else ask)`,
  )
  command.addOption(option)
  return command
}

/**
 * The passphrase by the file, the variable, or a question where somebody can be asked; null if there is none of them.
 *
 * @param isNew - Whether it is chosen now: then it is asked for twice.
 */
export async function readPassphraseFor(
  io: CliIo,
  what: string,
  { passphraseFile, variable: name = PASSPHRASE_VARIABLE }: PassphraseOptions,
  isNew = false,
): Promise<Passphrase | null> {
  if (passphraseFile !== undefined)
    return firstLine(await readFileBytes(passphraseFile, { maxBytes: 4096 }), passphraseFile)
  const variable = io.env[name]
  if (variable !== undefined && variable !== '') return variable
  if (!io.canAsk) return null
  const passphrase = await io.askSecret(isNew ? `New passphrase for ${what}` : `Passphrase for ${what}`)
  if (passphrase === '') return null
  if (isNew && (await io.askSecret('The same once more')) !== passphrase) {
    throw new UsageError('the two passphrases that were entered differ')
  }
  return passphrase
}

function firstLine(bytes: Uint8Array, path: string): Uint8Array {
  const end = bytes.indexOf(0x0a)
  const line = end < 0 ? bytes : bytes.subarray(0, bytes[end - 1] === 0x0d ? end - 1 : end)
  if (line.length === 0) throw new UsageError(`${path} is empty: it should hold the passphrase`)
  return line
}
