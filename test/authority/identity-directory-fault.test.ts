// A computation that goes wrong while a key signs: what comes of it must not be written.

import { readdir } from 'node:fs/promises'
import { expect, it, vi } from 'vitest'
import { createAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import type { Signer } from '../../src/certificate/signing.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const fault = vi.hoisted(() => ({ at: 0, signatures: 0 }))

vi.mock('../../src/certificate/signing.ts', async (original) => {
  const { signerFor } = await original<typeof import('../../src/certificate/signing.ts')>()
  return {
    signerFor(...args: Parameters<typeof signerFor>): Signer {
      const signer = signerFor(...args)
      return {
        ...signer,
        async sign(data) {
          const signature = await signer.sign(data)
          fault.signatures++
          return fault.signatures === fault.at ? signature.with(-1, (signature.at(-1) ?? 0) ^ 1) : signature
        },
      }
    },
  }
})

it.each([
  [1, 'ERR_TLACACOCA_AUTHORITY_MISMATCH'],
  [2, 'ERR_TLACACOCA_CSR_UNPROVEN'],
])('writes nothing if signature %i goes wrong', async (at, code) => {
  const folder = await temporaryFolder()
  Object.assign(fault, { at, signatures: 0 })
  const create = () => createAuthorityDirectory(folder, { subject: [['CN', 'ca.net']], dangerouslyUnencrypted: true })
  await expect(create()).rejects.toMatchObject({ code })
  expect(await readdir(folder)).toEqual([])
  // The next one goes well, so that it is the signature that was refused.
  await create()
  expect(await readdir(folder)).toHaveLength(4)
})
