export type { ConnectionDecision, ConnectionGuard } from './connection-guard.ts'
export type {
  ConnectionHandler,
  ConnectionLimits,
  ProxyProtocolOptions,
  RefusedConnection,
} from './connection-limits.ts'
export type { DrainLimits } from './drain.ts'
export { type GuardConnectionsOptions, type GuardedConnections, guardConnections } from './guard-connections.ts'
export type { ListenAddress, Listener } from './listener.ts'
export { createPlaintextServer } from './plaintext-server.ts'
export { type ReadRequestOptions, type RequestReading, readRequest } from './read-request.ts'
export { refuse } from './refuse.ts'
export type { ServerConnection } from './server-connection.ts'
