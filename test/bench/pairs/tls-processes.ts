// The processes that TLS is measured in.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateSelfSignedCertificate } from 'tlacacoca'
import { bundled } from '../bundle.ts'
import { startWorker, type Worker as Told } from '../worker.ts'
import type { Commands, Credentials } from './tls-worker.ts'

/** A process that takes the commands of `tls-worker.ts`. */
export type Worker = Told<Commands>

export interface Workers {
  start(): Promise<Worker>
  close(): void
}

export async function tlsWorkers(): Promise<Workers> {
  const worker = fileURLToPath(new URL('tls-worker.ts', import.meta.url))
  const { folder, close: removeBundle } = await bundled({ worker })
  const file = join(folder, 'worker.mjs')
  const site = await generateSelfSignedCertificate({ hostname: 'localhost' })
  const me = await generateSelfSignedCertificate({ usage: 'client', commonName: 'ana' })
  const credentials: Credentials = {
    server: { cert: site.certificatePem, key: site.privateKeyPem, fingerprint: site.fingerprint },
    client: { cert: me.certificatePem, key: me.privateKeyPem },
  }
  const running = new Set<Worker>()
  return {
    async start() {
      const worker = startWorker<Commands>(file)
      running.add(worker)
      await worker.ask('begin', credentials)
      return worker
    },
    close() {
      for (const worker of running) worker.stop()
      removeBundle()
    },
  }
}
