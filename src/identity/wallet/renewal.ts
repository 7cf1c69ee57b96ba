// A new certificate for an old key. The old certificate is kept, because there are sites that know nothing else of the user.

import type { Certificate } from '../../certificate/certificate.ts'
import { renewCertificate } from '../../certificate/renew.ts'
import { IdentityError } from '../../errors.ts'
import { show } from '../../internal/arguments.ts'
import type { Endpoint } from '../../names/endpoint.ts'
import { signRotation } from '../rotation-statement.ts'
import { type IdentityValidity, NEVER, readValidity } from './new-identity.ts'
import type { Pair } from './pair.ts'
import type { StatementOptions } from './rotation-plan.ts'
import { readStatementOptions } from './statement-options.ts'
import type { WalletCore } from './wallet-core.ts'

// Nobody goes back further, and the file of them must not grow without end.
const MAX_FORMER = 20

export async function renewIdentity(
  core: WalletCore,
  id: string,
  validity: IdentityValidity | undefined,
): Promise<void> {
  const asked = validity === undefined ? null : readValidity(validity)
  // Opened before the lock is taken, since that can take a while.
  await core.key(core.state.require(id))
  await core.alterWhere(id, async (writer) => {
    const pair = core.state.require(id)
    const { certificate, former } = pair
    const dates = asked ?? lengthOf(certificate, core.now)
    const privateKey = await core.key(pair)
    const renewed = await renewCertificate({ certificate, privateKey, ...dates, clock: core.clock })
    await writer.replaceCertificates(id, [renewed.certificate], [certificate, ...former].slice(0, MAX_FORMER))
  })
}

export async function revertRenewal(core: WalletCore, id: string): Promise<void> {
  await core.alterWhere(id, async (writer) => {
    const pair = core.state.require(id)
    const [last, ...older] = requireFormer(pair)
    await writer.replaceCertificates(id, [last], [pair.certificate, ...older])
  })
}

export async function renewalStatement(
  core: WalletCore,
  id: string,
  endpoint: Endpoint,
  options: StatementOptions,
): Promise<string> {
  const pair = core.state.require(id)
  const [oldCertificate] = requireFormer(pair)
  const terms = readStatementOptions(options, core.now)
  const oldKey = await core.key(pair)
  return signRotation({ origin: endpoint, oldCertificate, oldKey, newCertificate: pair.certificate, ...terms })
}

/** The end of a certificate that is valid for as long as an older one was, and for a day at least. */
function lengthOf({ notBefore, notAfter }: Certificate, now: Date): { readonly notAfter: Date } {
  // Certificates begin an hour before they are made.
  const length = notAfter.getTime() - notBefore.getTime() - 3_600_000
  return { notAfter: new Date(Math.min(now.getTime() + Math.max(length, 86_400_000), NEVER.getTime())) }
}

function requireFormer({ id, former }: Pair): readonly [Certificate, ...Certificate[]] {
  const [last, ...older] = former
  if (last !== undefined) return [last, ...older]
  throw new IdentityError('ERR_TLACACOCA_IDENTITY_NOT_FOUND', `${show(id)} has no former certificate`)
}
