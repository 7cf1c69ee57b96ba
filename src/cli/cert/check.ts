import type { Command } from 'commander'
import {
  isCertificateExpired,
  isCertificateValidForHostname,
  validateCertificateFile,
} from '../../certificate/index.ts'
import { TlacacocaError } from '../../errors.ts'
import type { Cli, Outcome } from '../command.ts'
import { ExitCode } from '../exit-code.ts'
import { type CliIo, styled } from '../io.ts'
import { collect, counted, readCount, readDate } from '../options.ts'
import { type PassphraseOptions, readPassphraseFor, withPassphrase } from '../passphrase.ts'
import { isFolder, readCertificates } from './read.ts'

interface CheckOptions extends PassphraseOptions {
  readonly host?: readonly string[]
  readonly key?: string
  readonly within?: string
  readonly at?: string
  readonly chain?: boolean
}

/** One thing that is wrong: of a file, or with regard to what was asked for. */
interface Problem {
  readonly code: string
  readonly message: string
}

/** `cert check` */
export function addCheck(cli: Cli, group: Command): void {
  const command = group
    .command('check')
    .summary('list all that is wrong with a certificate')
    .description(
      'Lists all that is wrong with a certificate file, and with its key, before a server uses them. Ends with 1 if anything is.',
    )
    .argument('<file>', 'the file with the certificate, in PEM')
    .option('--host <host>', 'what it must be for; may be given several times', collect)
    .option('--key <file>', 'the file with its private key')
    .option('--within <days>', 'also say if it expires within so many days')
    .option('--at <date>', 'the day or instant to check it for (default: now)')
    .option('--chain', 'the file may hold a chain, its own certificate first')
  withPassphrase(command).action(cli.action(check))
}

async function check({ io }: Cli, path: string, options: CheckOptions): Promise<Outcome> {
  const at = options.at === undefined ? new Date(io.clock()) : readDate('--at', options.at)
  const days = options.within === undefined ? null : readCount('--within', options.within)
  const problems: Problem[] = [...(await problemsOfFiles(io, path, at, options))]
  const certificate = await firstCertificate(io, path)
  if (certificate !== null) {
    for (const host of options.host ?? []) {
      const matches = answer(() => isCertificateValidForHostname(certificate, host))
      if (matches === false) problems.push({ code: 'wrong_host', message: `it is not for ${host}` })
    }
    if (days !== null && !problems.some(({ code }) => code === 'expired')) {
      const then = new Date(at.getTime() + days * 86_400_000)
      const expires = answer(() => isCertificateExpired(certificate, { at: then }))
      if (expires === true) {
        const message = `it expires within ${counted(days, 'day')}, on ${certificate.notAfter.toISOString()}`
        problems.push({ code: 'expires_soon', message })
      }
    }
  }
  const valid = problems.length === 0
  const isFolderGiven = !valid && (await isFolder(path))
  return {
    json: { file: path, valid, problems },
    text: valid
      ? `${path}: ${styled(io, 'green', 'all is well')}`
      : problems
          .map(({ code, message }) => `${styled(io, 'red', code)}: ${message}${hintFor(code, isFolderGiven)}`)
          .join('\n'),
    exitCode: valid ? ExitCode.ok : ExitCode.no,
  }
}

function hintFor(code: string, isFolderGiven: boolean): string {
  if (code === 'several_certificates') return ' (for a chain, say --chain)'
  return code === 'unreadable' && isFolderGiven ? ' (name a file in it; cert show reads whole folders)' : ''
}

async function problemsOfFiles(
  io: CliIo,
  path: string,
  at: Date,
  { key, chain = false, passphraseFile }: CheckOptions,
): Promise<readonly Problem[]> {
  const settings = { at, allowChain: chain, ...(key === undefined ? {} : { keyFile: key }) }
  const { problems } = await validateCertificateFile(path, settings)
  if (key === undefined || !problems.some(({ code }) => code === 'key_encrypted')) return problems
  const passphrase = await readPassphraseFor(io, key, { passphraseFile })
  if (passphrase === null) return problems
  return (await validateCertificateFile(path, { ...settings, passphrase })).problems
}

/** Null if there is none: that is among the problems already. */
async function firstCertificate(io: CliIo, path: string) {
  try {
    return (await readCertificates(io, path))[0] ?? null
  } catch (error) {
    if (error instanceof TlacacocaError) return null
    throw error
  }
}

/** Null if the certificate cannot say: that is among the problems already. */
function answer(ask: () => boolean): boolean | null {
  try {
    return ask()
  } catch (error) {
    if (error instanceof TlacacocaError) return null
    throw error
  }
}
