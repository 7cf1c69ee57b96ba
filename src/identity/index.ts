// What `tlacacoca/identity` offers: the registry of a server, and the wallet of a client.

export type { RotationExpectation, RotationOptions, RotationStatement } from './rotation-statement.ts'
export { signRotation, verifyRotation } from './rotation-statement.ts'
