import type { Command } from 'commander'
import type { Cli, Outcome } from '../command.ts'
import { ExitCode, exitCodeFor } from '../exit-code.ts'
import { inFile } from '../input.ts'
import { styled } from '../io.ts'
import { dataOf, linesOf } from './facts.ts'
import { findCertificates } from './read.ts'

/** `cert show` */
export function addShow(cli: Cli, group: Command): void {
  group
    .command('show')
    .summary('say all that is in certificates')
    .description(
      'Says all that is in certificates: names, dates, key, purposes, and the fingerprint as programs spell it.',
    )
    .argument('<file...>', 'files with one certificate or more, folders, or - for the standard input')
    .action(cli.action(show))
}

async function show({ io }: Cli, paths: readonly string[]): Promise<Outcome> {
  const at = new Date(io.clock())
  const { found, unreadable } = await findCertificates(io, paths)
  const [first] = unreadable
  if (found.length === 0 && first !== undefined && unreadable.length === 1) {
    await inFile(first.file, () => Promise.reject(first.error))
  }
  const certificates = found.map(({ file, number, certificate }) => ({ file, number, ...dataOf(certificate, at) }))
  const problems = unreadable.map(({ file, error: { code, message } }) => ({ file, code, message }))
  const isAlone = found.length === 1 && problems.length === 0
  const sections = found.map(({ file, number, certificate }) => {
    const lines = linesOf(io, certificate, at)
    const title = number === 1 ? file : `${file}, certificate ${number}`
    return isAlone ? lines : `${styled(io, 'underline', title)}\n${lines}`
  })
  for (const { file, message } of problems) sections.push(`${styled(io, 'red', file)}\n${message}`)
  if (sections.length === 0) sections.push('There is no certificate.')
  return {
    json: { certificates, problems },
    text: sections.join('\n\n'),
    exitCode: first !== undefined ? exitCodeFor(first.error) : found.length === 0 ? ExitCode.no : ExitCode.ok,
  }
}
