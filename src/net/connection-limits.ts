// What every server, with TLS or without, can be told about the connections that it takes.

import {
  requireBoolean,
  requireFunction,
  requireInteger,
  requireList,
  requireOptions,
  requireString,
  show,
} from '../internal/arguments.ts'
import { parseAt } from '../internal/parse-at.ts'
import { type AddressRange, parseAddressRange } from '../names/address-range.ts'
import type { ClientAddress } from '../names/client-address.ts'
import type { ConnectionGuard } from './connection-guard.ts'
import type { ServerConnection } from './server-connection.ts'

/** What a server does with a connection. Ending the stream ends the connection, half-open ones included. */
export type ConnectionHandler = (connection: ServerConnection) => unknown

/** Limits that every server has, with TLS or without. */
export interface ConnectionLimits {
  /**
   * How many connections may be open at once; one more is closed as soon as it opens. Default 1,000: some 50 MB with
   * TLS, and within the file descriptors that a process has.
   */
  readonly maxConnections?: number
  /** Asked in order about each new connection; the first that refuses closes it. */
  readonly guards?: readonly ConnectionGuard[]
  /** For a server behind a proxy that tells whose each connection is. Default: there is none. */
  readonly proxyProtocol?: ProxyProtocolOptions
  /**
   * After how many milliseconds without a byte in either direction a connection is destroyed, and at most a sixteenth
   * later. Default 120,000. It is for clients that stop reading an answer; the time for the request is the deadline of
   * `readRequest`. What counts is what the system has taken for a client, not what waits for it: however long one answer
   * is, whoever reads it steadily may take all the time.
   */
  readonly idleTimeoutMs?: number
  /** Told of each connection that was closed before anybody served it. It costs nothing if it is not there. */
  readonly onRefused?: (refused: RefusedConnection) => void
  /**
   * Told when a handler throws or rejects (its connection is destroyed), when a guard throws (the connection is
   * refused), and when the listener itself fails; then there is no connection. Default: a warning of the process.
   */
  readonly onError?: (error: unknown, connection: ServerConnection | null) => void
}

/** How a server takes the word of a proxy for whose a connection is: the PROXY protocol, version 1 or 2. */
export interface ProxyProtocolOptions {
  /**
   * The proxies, as addresses and ranges: whoever connects from there must begin with a header, and is believed. Name the
   * proxies, not the network that they are in.
   */
  readonly trusted: Iterable<string>
  /**
   * Whether anybody else may connect, without a header. Default false: everybody else is cut off at once. With true, one
   * who brings a header is cut off nevertheless.
   */
  readonly allowDirect?: boolean
  /**
   * How long a proxy may take for the header, and a direct client for its first byte, in milliseconds from connecting
   * on. Default 3,000, the least that the specification recommends: a packet that was lost comes a second time.
   */
  readonly timeoutMs?: number
}

/** A connection that was closed before it was served. */
export interface RefusedConnection {
  /** Of the client if it is known, else of whoever connected; null if even that is not known any more. */
  readonly address: ClientAddress | null
  /** Of the proxy through which it came; null if it came by none, or if none is known. */
  readonly proxy: ClientAddress | null
  /**
   * Why. `max_connections`: too many were open. `guard`: a guard said no. `proxy_protocol`: its beginning was not what
   * `proxyProtocol` asks for. `closing`: the server is being closed.
   */
  readonly reason: 'max_connections' | 'guard' | 'proxy_protocol' | 'closing'
  /** The name of the guard that refused, or `guard 1` (from 0) if it has none; null if it was not a guard. */
  readonly guard: string | null
  /** More about the reason, for logs and for people. Open-ended; do not branch on it. */
  readonly detail: string | null
}

/** @internal The names of all limits, for servers that have more options. */
export const LIMIT_NAMES = [
  'maxConnections',
  'guards',
  'proxyProtocol',
  'idleTimeoutMs',
  'onRefused',
  'onError',
] as const satisfies readonly (keyof ConnectionLimits)[]

/** @internal The limits, checked and complete. */
export interface CheckedLimits {
  readonly maxConnections: number
  readonly guards: readonly NamedGuard[]
  readonly proxies: TrustedProxies | null
  readonly idleTimeoutMs: number
  readonly onRefused: ((refused: RefusedConnection) => unknown) | null
  readonly onError: ((error: unknown, connection: ServerConnection | null) => unknown) | null
}

export interface NamedGuard {
  readonly name: string
  readonly guard: ConnectionGuard
}

export interface TrustedProxies {
  readonly ranges: readonly AddressRange[]
  readonly allowDirect: boolean
  readonly timeoutMs: number
}

/**
 * @internal
 * @throws {TypeError} If a limit has the wrong type.
 * @throws {RangeError} If one is out of range, or nobody is trusted.
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` if a trusted proxy is no address or range.
 */
export function requireLimits(limits: ConnectionLimits): CheckedLimits {
  const { maxConnections = 1000, guards = [], proxyProtocol, idleTimeoutMs = 120_000, onRefused, onError } = limits
  requireInteger('maxConnections', maxConnections, 1, Number.MAX_SAFE_INTEGER)
  requireInteger('idleTimeoutMs', idleTimeoutMs, 1, 2 ** 31 - 1)
  if (onRefused !== undefined) requireFunction('onRefused', onRefused)
  if (onError !== undefined) requireFunction('onError', onError)
  if (!Array.isArray(guards)) throw new TypeError(`"guards" expected a list, got ${show(guards)}`)
  return {
    maxConnections,
    guards: Array.from(guards, requireGuard),
    proxies: proxyProtocol === undefined ? null : requireProxies(proxyProtocol),
    idleTimeoutMs,
    onRefused: onRefused ?? null,
    onError: onError ?? null,
  }
}

function requireGuard(guard: ConnectionGuard | undefined, index: number): NamedGuard {
  requireFunction(`guards[${index}].opened`, guard?.opened)
  const { name = `guard ${index}` } = guard as ConnectionGuard
  requireString(`guards[${index}].name`, name)
  return { name, guard: guard as ConnectionGuard }
}

function requireProxies(options: ProxyProtocolOptions): TrustedProxies {
  requireOptions('proxyProtocol', options, ['trusted', 'allowDirect', 'timeoutMs'])
  const { trusted, allowDirect = false, timeoutMs = 3000 } = options
  requireList('proxyProtocol.trusted', trusted)
  requireBoolean('proxyProtocol.allowDirect', allowDirect)
  requireInteger('proxyProtocol.timeoutMs', timeoutMs, 1, 2 ** 31 - 1)
  const ranges = Array.from(trusted, (text, index) =>
    parseAt(`proxyProtocol.trusted[${index}]`, text, parseAddressRange),
  )
  if (ranges.length === 0) throw new RangeError('"proxyProtocol.trusted" expected at least one address or range')
  return { ranges, allowDirect, timeoutMs }
}
