// Programs that are compared with: a process of openssl for each operation, and Python in a process that stays and does
// one operation for each line that it is sent.

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

export const haveOpenssl = spawnSync('openssl', ['version']).status === 0
export const havePython = spawnSync('python3', ['-c', 'import cryptography.x509']).status === 0

const execute = promisify(execFile)

export async function runOpenssl(args: readonly string[]): Promise<string> {
  return (await execute('openssl', args)).stdout
}

const LOOP = `
import json, sys
inputs = json.loads(sys.stdin.readline())
exec(json.loads(sys.stdin.readline()))
for line in sys.stdin:
    once()
    print('done', flush=True)
`

export class PythonLoop {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  /** @param program - Python that defines `once()`; `inputs` are at hand. */
  constructor(program: string, inputs: readonly string[]) {
    const child = spawn('python3', ['-c', LOOP], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    child.stdin.write(`${JSON.stringify(inputs)}\n${JSON.stringify(program)}\n`)
  }

  async once(): Promise<void> {
    this.#child.stdin?.write('\n')
    const { value } = await this.#lines.next()
    if (value !== 'done') throw new Error(`Python says ${value}`)
  }

  stop(): void {
    this.#child.kill()
  }
}
