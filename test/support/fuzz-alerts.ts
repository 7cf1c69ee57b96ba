// Alerts of any level and code, put into a connection of ours at any state by somebody who has the keys for it.

import type { AlertLevel } from '../../src/errors.ts'
import { FollowedSide } from './followed-connection.ts'
import { ANSWER, type Ground, QUESTION } from './fuzz-trial.ts'
import { WatchedConnection } from './fuzz-watch.ts'
import { turn } from './sans-io.ts'

/** Where a connection of ours stands when the alert comes. */
export type AlertMoment = 'hello' | 'handshaking' | 'verifying' | 'open' | 'finishing'

export const MOMENTS: readonly AlertMoment[] = ['hello', 'handshaking', 'verifying', 'open', 'finishing']

export interface AlertResult {
  readonly us: WatchedConnection
  readonly outcome: string
  /** Whether it was over without the clock, and without an end of the wire. */
  readonly byItself: boolean
  readonly error: Error | null
}

/** Brings a connection of ours to a state, sends it an alert, and what the peer would say after it, and waits for its end. */
export async function alertAt(
  ground: Ground,
  moment: AlertMoment,
  level: AlertLevel,
  code: number,
): Promise<AlertResult> {
  const toUs: Buffer[] = []
  let accept = (): void => {}
  const decided = new Promise<void>((resolve) => {
    accept = resolve
  })
  const peer = new FollowedSide(
    { side: ground.peer.side, context: ground.peer.secureContext, pieces: 'records' },
    (bytes) => void toUs.push(Buffer.from(bytes)),
  )
  const us = new WatchedConnection(ground.tls, { verify: () => (moment === 'verifying' ? decided : undefined) })
  const clear = (): void => us.receive(Buffer.of(21, 3, 3, 0, 2, level === 'fatal' ? 2 : 1, code))
  const exchange = async (isThere: () => boolean): Promise<void> => {
    for (let turns = 0; turns < 200 && !isThere(); turns++) {
      const bytes = us.take()
      if (bytes.length > 0) peer.feed(bytes)
      await turn()
      for (const record of toUs.splice(0)) if (!isThere()) us.receive(record)
      await turn()
    }
    if (!isThere()) throw new Error(`it never came to ${moment}`)
  }
  const { connection } = us
  const isClient = ground.side === 'client'
  if (moment === 'hello') {
    clear()
  } else if (moment === 'handshaking') {
    if (!isClient) await exchange(() => connection.state === 'handshaking' && us.writes.length > 0)
    clear()
  } else {
    await exchange(() => connection.state === (moment === 'verifying' ? 'verifying' : 'open'))
    // What the peer says in the same breath, such as tickets.
    const bytes = us.take()
    if (bytes.length > 0) peer.feed(bytes)
    for (let turns = 0; turns < 6; turns++) await turn()
    for (const record of toUs.splice(0)) us.receive(record)
    if (moment === 'finishing') {
      connection.applicationFinished()
      for (let turns = 0; turns < 4; turns++) await turn()
    }
    peer.sendAlert(level, code)
    for (const record of toUs.splice(0)) us.receive(record)
  }
  accept()
  for (let turns = 0; turns < 8; turns++) await turn()
  const byItself = us.isOver
  // The peer goes on as if it had said nothing.
  for (let turns = 0; turns < 20 && !us.isOver && !peer.cut; turns++) {
    const bytes = us.take()
    if (bytes.length > 0) peer.feed(bytes)
    await turn()
    for (const record of toUs.splice(0)) us.receive(record)
    await turn()
  }
  const goesOn = connection.info !== null && !us.isOver
  if (goesOn)
    us.attempt('dataFromApplication', () => connection.dataFromApplication(Buffer.from(isClient ? QUESTION : ANSWER)))
  if (!us.isOver && connection.state === 'finishing') us.attempt('finish', () => connection.applicationFinished())
  for (let turns = 0; turns < 6; turns++) await turn()
  if (!us.isOver) us.wireEnded()
  const outcome = await us.conclude()
  peer.destroy()
  const error = us.reason?.kind === 'failed' ? us.reason.error : null
  return { us, outcome: !byItself && goesOn ? `goes on, ${outcome}` : outcome, byItself, error }
}
