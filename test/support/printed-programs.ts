import { spawn } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

// Programs that are printed for a reader to copy, run in a folder of their own as the reader would: `npx tsx program.ts`.

const root = fileURLToPath(new URL('../..', import.meta.url))
const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href

/** Data of programs (known hosts, wallets) belongs to the folder too, and not to whoever runs the tests. */
const environment = (folder: string): NodeJS.ProcessEnv => ({
  ...process.env,
  TSX_TSCONFIG_PATH: join(root, 'tsconfig.json'),
  XDG_DATA_HOME: join(folder, 'data'),
})

export interface Ended {
  readonly code: number | null
  /** What it wrote to both outputs, in the order in which it did. */
  readonly output: string
}

/** Runs a program to its end. */
export async function runPrinted(args: readonly string[], folder: string, input = ''): Promise<Ended> {
  const log = join(folder, '.output')
  const file = await open(log, 'w')
  const child = spawn(process.execPath, ['--import', tsx, ...args], {
    cwd: folder,
    env: environment(folder),
    stdio: ['pipe', file.fd, file.fd],
  })
  // A program may end without having read what it was given.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  await file.close()
  return { code, output: await readFile(log, 'utf8') }
}

/** Starts a server and waits until it listens. The result stops it. */
export async function servePrinted(
  args: readonly string[],
  folder: string,
  port: number,
): Promise<() => Promise<void>> {
  const child = spawn(process.execPath, ['--import', tsx, ...args], {
    cwd: folder,
    env: environment(folder),
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  let ended: number | string | null = null
  const closed = new Promise<void>((resolve) =>
    child.once('close', (code, signal) => {
      ended = code ?? signal
      resolve()
    }),
  )
  const stop = (): Promise<void> => {
    child.kill('SIGINT')
    return closed
  }
  for (let attempts = 0; !(await isListening(port)); attempts++) {
    if (ended !== null) throw new Error(`the server ended with ${ended}`)
    if (attempts === 1200) {
      await stop()
      throw new Error(`the server does not listen on port ${port}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return stop
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, 'localhost', () => {
      socket.destroy()
      resolve(true)
    }).once('error', () => resolve(false))
  })
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
}
