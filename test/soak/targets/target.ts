// What can be soaked: how it is set up and started, and what visitors say to it.

import type { Listener } from 'tlacacoca'

/** Where those come from who are not welcome. */
export const UNWELCOME_NETWORK = 250
export const UNWELCOME_RANGE = `127.${UNWELCOME_NETWORK}.0.0/16`

export interface Identity {
  readonly cert: string
  readonly key: string
}

/** Who comes: somebody that the server knows, or one with a certificate of each other kind, or with a new one each time. */
export type Visitor = 'member' | 'account' | 'expired' | 'odd' | 'new'

/** What visitors have to know of the server. */
export interface Facts {
  readonly identities: Partial<Record<Exclude<Visitor, 'new'>, Identity>>
  /** SHA-256 of the certificates that it may show; none without TLS. */
  readonly serverFingerprints: readonly string[]
}

/** One request, and the only answer to it that is right. */
export interface Exchange {
  readonly name: string
  readonly request: string | Uint8Array
  readonly answer: string | RegExp
  readonly visitor?: Visitor
}

/** What visitors say to a server. */
export interface Script {
  readonly tls: boolean
  /** Asked by everybody whose request is as it should be. The first one is the plainest. */
  readonly good: readonly Exchange[]
  /** The same with certificates. */
  readonly identities: readonly Exchange[]
  readonly hostile: readonly Exchange[]
  /** What those are told whose addresses are not welcome; null if all are. */
  readonly unwelcome: Exchange | null
  /** Its answer does not fit into the buffers of a connection; null if there is none so long. */
  readonly long: { readonly request: string; readonly answerBytes: number } | null
  /** Its body is announced, and does not come. */
  readonly unfinished: { readonly request: string; readonly timeoutMs: number; readonly visitor?: Visitor } | null
  /** The beginning of a request, without anything wrong so far. */
  readonly beginning: string
  /** What those are told who do not finish it. */
  readonly tooSlow: RegExp
  /** What a flood is told, and whether it is shut out in the end. */
  readonly limited: RegExp
  readonly bans: boolean
  readonly timeouts: { readonly handshakeMs: number; readonly requestMs: number; readonly idleMs: number }
}

/** A server that runs. */
export interface Running {
  readonly listener: Listener
  /** Takes the next certificate of those that it has. */
  reload?(): Promise<unknown>
  close?(): Promise<unknown>
}

export interface Target {
  readonly script: Script
  /** Makes what the server needs in an empty folder. */
  prepare(folder: string): Promise<Facts>
  /** Either it is started in a process that this project wrote, */
  start?(folder: string, facts: Facts): Promise<Running>
  /** or it is a program, which says on its standard error where it listens, and reads everything again on SIGHUP. */
  readonly program?: {
    readonly path: string
    args(folder: string): readonly string[]
    env(folder: string): NodeJS.ProcessEnv
    readonly port: RegExp
    /** Changes what it will read. */
    change(folder: string, facts: Facts): Promise<unknown>
  }
  /** Lines on its standard error that say nothing bad. */
  readonly expected: readonly RegExp[]
}
