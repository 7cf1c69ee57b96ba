import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort, runPrinted, servePrinted } from '../support/printed-programs.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// "The programs below run as printed", says the README. They do so here, in the order in which it says, at another port.

const readme = fileURLToPath(new URL('../../README.md', import.meta.url))

let stop: (() => Promise<void>) | null = null
afterEach(async () => stop?.())

/** The programs by the file into which a reader saves them; each has a call that the others have not. */
async function programs(port: number): Promise<Map<string, string>> {
  const blocks = [...(await readFile(readme, 'utf8')).matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(
    ([, text = '']) => text,
  )
  const named = new Map(
    blocks.map((text) => {
      if (text.includes('createServer(')) return ['server.ts', text]
      return [text.includes('saveCertificateFiles(') ? 'certificate.ts' : 'client.ts', text]
    }),
  )
  expect(named.size).toBe(blocks.length)
  return new Map([...named].map(([file, text]) => [file, text.replaceAll('1965', String(port))]))
}

describe('the programs of the README', () => {
  it('make a certificate, serve a page under their rules, and show it to those who know the server', async () => {
    const folder = await temporaryFolder()
    const port = await freePort()
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    await mkdir(join(folder, 'capsule'))
    await writeFile(join(folder, 'capsule', 'index.gmi'), '# Hello\n')
    for (const [file, text] of await programs(port)) await writeFile(join(folder, file), text)

    const made = await runPrinted(['certificate.ts'], folder)
    expect(made).toEqual({ code: 0, output: expect.stringMatching(/^sha256:[0-9a-f]{64}\n$/) })
    stop = await servePrinted(['server.ts'], folder, port)
    const page = (how: string): RegExp => new RegExp(`^accepted by tofu: ${how}\n20 text/gemini\r\n# Hello\n$`)
    expect(await runPrinted(['client.ts'], folder)).toEqual({
      code: 0,
      output: expect.stringMatching(page('first_use')),
    })
    expect(await runPrinted(['client.ts'], folder)).toEqual({ code: 0, output: expect.stringMatching(page('trusted')) })

    // The same client, with another request line.
    const ask = async (path: string): Promise<string> => {
      const text = await readFile(join(folder, 'client.ts'), 'utf8')
      await writeFile(join(folder, 'other.ts'), text.replace('gemini://localhost/', `gemini://localhost${path}`))
      return (await runPrinted(['other.ts'], folder)).output.split('\n').slice(1).join('\n')
    }
    expect(await ask('/nothing.gmi')).toBe('51 not found\r\n')
    expect(await ask('/club/')).toBe('60 certificate, please\r\n')

    // Somebody else in its place: nothing is asked of them.
    await stop()
    await Promise.all(['cert.pem', 'key.pem'].map((file) => rm(join(folder, file))))
    expect((await runPrinted(['certificate.ts'], folder)).code).toBe(0)
    stop = await servePrinted(['server.ts'], folder, port)
    const refused = await runPrinted(['client.ts'], folder)
    expect(refused.code).toBe(1)
    expect(refused.output).toContain('ERR_TLACACOCA_CERTIFICATE_CHANGED')
    expect(refused.output).not.toContain('# Hello')
  })
}, 240_000)
