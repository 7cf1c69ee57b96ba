// The audit trail: whether it is whole, and what is in it.

import type { Command } from 'commander'
import { type AuditEvent, verifyAuditTrail } from '../../authority/audit.ts'
import { escapeText } from '../../logging/safe-text.ts'
import type { Cli, Outcome } from '../command.ts'
import { ExitCode } from '../exit-code.ts'
import { type CliIo, styled } from '../io.ts'
import { counted, fromUser } from '../options.ts'
import { longTable } from '../table.ts'
import { closing } from './issue.ts'
import { openIssued } from './open.ts'

interface AuditOptions {
  readonly head?: string
  readonly events?: boolean
}

/** `ca audit`. */
export async function audit({ io }: Cli, { head, events = false }: AuditOptions, command: Command): Promise<Outcome> {
  const store = await openIssued(io, command)
  if (events) {
    const trail = closing(store, store.auditTrail())
    return { json: eventsAsJson(trail), text: eventsAsText(io, trail) }
  }
  try {
    const expected = head === undefined ? {} : { expectedHead: head }
    const verdict = await fromUser(() => verifyAuditTrail(store.auditTrail(), expected))
    if (!verdict.valid) {
      const text = `${styled(io, 'red', 'broken:')} the trail is not what was recorded from event ${verdict.position} on: ${verdict.problem}`
      return { json: verdict, text, exitCode: ExitCode.no }
    }
    const sound = `${styled(io, 'green', 'whole:')} ${counted(verdict.count, 'event')}, each of which follows the one before it`
    return { json: verdict, text: `${sound}.\nKeep this hash elsewhere, for the next time:\n  ${verdict.head}` }
  } finally {
    store.close()
  }
}

async function* eventsAsJson(trail: AsyncIterable<AuditEvent>) {
  for await (const event of trail) yield { ...event, at: new Date(event.at).toISOString() }
}

async function* eventsAsText(io: CliIo, trail: AsyncIterable<AuditEvent>): AsyncGenerator<string> {
  const cells = async function* () {
    for await (const { position, at, event, serial, actor, detail } of trail) {
      yield [
        String(position),
        new Date(at).toISOString(),
        event,
        serial ?? '-',
        escapeText(actor ?? '-'),
        escapeText(detail ?? ''),
      ]
    }
  }
  yield* longTable(io, ['EVENT', 'AT', 'WHAT', 'SERIAL NUMBER', 'BY', 'MORE'], cells())
}
