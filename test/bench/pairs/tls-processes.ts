// The processes that TLS is measured in. They run what is published, a bundle: a program that is translated while it is
// loaded runs differently, and not equally so for every contender.
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { generateSelfSignedCertificate } from 'tlacacoca'
import type { Commands, Credentials } from './tls-worker.ts'

/** A process that takes the commands of `tls-worker.ts`. */
export interface Worker {
  ask<Name extends keyof Commands>(
    command: Name,
    ...args: Parameters<Commands[Name]>
  ): Promise<Awaited<ReturnType<Commands[Name]>>>
  stop(): void
}

export interface Workers {
  start(): Promise<Worker>
  close(): void
}

export async function tlsWorkers(): Promise<Workers> {
  const folder = mkdtempSync(join(tmpdir(), 'tlacacoca-bench-'))
  const file = join(folder, 'worker.mjs')
  await build({
    entryPoints: [fileURLToPath(new URL('tls-worker.ts', import.meta.url))],
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    alias: {
      tlacacoca: fileURLToPath(new URL('../../../src', import.meta.url)),
    },
    logLevel: 'warning',
  })
  const site = await generateSelfSignedCertificate({ hostname: 'localhost' })
  const me = await generateSelfSignedCertificate({ usage: 'client', commonName: 'ana' })
  const credentials: Credentials = {
    server: { cert: site.certificatePem, key: site.privateKeyPem, fingerprint: site.fingerprint },
    client: { cert: me.certificatePem, key: me.privateKeyPem },
  }
  const running = new Set<Worker>()
  return {
    async start() {
      const worker = startWorker(file)
      running.add(worker)
      await worker.ask('begin', credentials)
      return worker
    },
    close() {
      for (const worker of running) worker.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Far more than anything takes. A benchmark that waits for longer waits for something that will not happen. */
const MAX_WAIT_MS = 60_000

function startWorker(file: string): Worker {
  const child = fork(file, { execArgv: ['--expose-gc'] })
  const waiting = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>()
  let calls = 0
  child.on('message', ({ id, answer, error }: { id: number; answer: never; error?: string }) => {
    const call = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) call?.resolve(answer)
    else call?.reject(new Error(error))
  })
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the process ended with ${code}`))
  })
  return {
    ask: (command, ...args) =>
      new Promise((resolve, reject) => {
        const id = calls++
        const timer = setTimeout(() => reject(new Error(`no answer to ${command}`)), MAX_WAIT_MS)
        const settle =
          <Value>(action: (value: Value) => void) =>
          (value: Value): void => {
            clearTimeout(timer)
            action(value)
          }
        waiting.set(id, { resolve: settle(resolve), reject: settle(reject) })
        child.send({ id, command, args })
      }),
    stop: () => child.kill(),
  }
}
