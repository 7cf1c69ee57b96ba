// Kristall at the example server. It opens no address that it is given without a window manager, but does open its start
// page, and says on the standard error how much of it came.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createServerContext } from 'tlacacoca'
import { expect, it, onTestFinished } from 'vitest'
import { createCapsule } from '../../docs/examples/gemini-server.ts'
import { testCertificate } from '../support/certificates.ts'
import { CommandLinePeer } from '../support/command-line-peer.ts'
import { hasProgram } from '../support/field-program.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// More than what fits into one record, or one segment.
const PAGE = `# Hello from the capsule\n${'A line of text.\n'.repeat(5_000)}`

it.runIf(hasProgram('kristall')).each(['P-256', 'RSA-2048'] as const)(
  'Kristall loads a page to its end, by a certificate with a key of %s',
  async (key) => {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'capsule'))
    await writeFile(join(folder, 'capsule/index.gmi'), PAGE)
    const site = await testCertificate({ host: 'localhost', key })
    const context = await createServerContext({
      certificates: [{ cert: site.certPem, key: site.keyPem }],
      clientCertificates: 'request',
    })
    const server = createCapsule({ root: join(folder, 'capsule'), context, served: ['localhost'], burst: 100 })
    onTestFinished(() => server.close())
    const { port } = await server.listen(0, '127.0.0.1')
    await mkdir(join(folder, 'config/kristall'), { recursive: true })
    const settings = `[General]\nversion=1\nstart_page=gemini://localhost:${port}/\n`
    await writeFile(join(folder, 'config/kristall/config.ini'), settings)

    const kristall = new CommandLinePeer('env', [
      ...[`HOME=${folder}`, `XDG_CONFIG_HOME=${folder}/config`, `XDG_CACHE_HOME=${folder}/cache`],
      ...[`XDG_RUNTIME_DIR=${folder}`, 'QT_QPA_PLATFORM=offscreen', 'kristall', '--isolated'],
    ])
    const [, bytes] = await kristall.printed(/Loaded ([1-9][0-9]*) bytes of type "text" \/ "gemini"/)
    expect(Number(bytes)).toBe(PAGE.length)
  },
)
