// What a run writes down. Everything that the verdict is about is in here, so that a verdict can be had again.

/** What the server's process held at one moment, garbage collected. Memory in bytes. */
export interface Sample {
  /** Since the traffic began. */
  readonly seconds: number
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
  readonly arrayBuffers: number
  /** Open descriptors, sockets among them, as the kernel has them. */
  readonly descriptors: number
  /** Connections that Node holds open. */
  readonly sockets: number
  /** Connections that the listener counts; null where it cannot be asked. */
  readonly connections: number | null
  /** How late the event loop was since the sample before, in milliseconds. */
  readonly delayP99Ms: number
  readonly delayMaxMs: number
  /** How many visits had been finished. */
  readonly visits: number
}

/** What memory a sample tells of. */
export const MEMORIES = ['rss', 'heapUsed', 'external', 'arrayBuffers'] as const

export type Group = 'good' | 'identities' | 'hostile' | 'slow' | 'truncated' | 'flood'

/** What became of the visits of one kind. */
export interface KindCount {
  readonly group: Group
  readonly right: number
  readonly wrong: number
  /** The first few that went wrong, in words. */
  readonly examples: readonly string[]
  /** How long the longest took, in milliseconds. */
  readonly longestMs: number
}

export interface Recording {
  readonly target: string
  readonly machine: string
  /** How long there was traffic. */
  readonly seconds: number
  /** Before the traffic. */
  readonly before: Sample
  /** During the traffic. */
  readonly samples: readonly Sample[]
  /** After the last visitor had gone. */
  readonly after: Sample
  readonly kinds: Readonly<Record<string, KindCount>>
  /** Kinds that need more time than the run had. */
  readonly leftOut: readonly string[]
  /** Visits that did not begin because too many were under way. */
  readonly heldBack: number
  readonly reloads: number
  /** Warnings, rejections and exceptions of the server's process, and what happened to the processes of the visitors. */
  readonly troubles: readonly string[]
  /** Lines on the server's standard error that are not expected. */
  readonly complaints: readonly string[]
  /** How the server ended when it was told to; null if it had to be killed. */
  readonly exitCode: number | null
}
