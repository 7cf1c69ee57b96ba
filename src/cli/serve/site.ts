// From a target to an answer: a file below the root, the index of a folder, a list of it, or nothing.

import { type FileHandle, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { escapeText } from '../../logging/safe-text.ts'
import { openInsideRoot, parseRequestPath, type RequestPath } from '../../middleware/index.ts'
import { mediaTypeOf } from './media-types.ts'

export interface Site {
  /** The folder. */
  readonly root: string
  /** Whether folders without an index are listed. */
  readonly list: boolean
  /** Media types by extension, besides the usual ones. */
  readonly mediaTypes: Readonly<Record<string, string>>
}

/** A status line without its end, and what follows. */
export interface SiteAnswer {
  readonly header: string
  readonly body: FileHandle | string | null
}

const INDEX = 'index.gmi'

/** Answers a request that may be answered. */
export async function answerFor(site: Site, path: RequestPath): Promise<SiteAnswer> {
  const file = await openInsideRoot(site.root, path, { index: INDEX })
  if (file !== null) {
    const name = path.isDirectory ? INDEX : (path.segments.at(-1) ?? INDEX)
    return { header: `20 ${mediaTypeOf(name, site.mediaTypes)}`, body: file }
  }
  if (path.isDirectory) {
    const listing = site.list ? await listingOf(site.root, path) : null
    return listing === null ? NOTHING : { header: '20 text/gemini', body: listing }
  }
  // Links in a page are relative to the slash at the end of a folder's name.
  const folder = parseRequestPath(`${encoded(path.segments)}/`)
  const { body } = await answerFor(site, folder)
  if (body === null) return NOTHING
  if (typeof body !== 'string') await body.close()
  return { header: `31 ${encoded(path.segments)}/`, body: null }
}

const NOTHING: SiteAnswer = { header: '51 there is no such page', body: null }

/** What is in a folder, as a page; null if there is no such folder below the root. Links out of it are not followed. */
async function listingOf(root: string, { segments }: RequestPath): Promise<string | null> {
  if (segments.some((name) => name.startsWith('.'))) return null
  try {
    const wanted = join(await realpath(root), ...segments)
    if ((await realpath(wanted)) !== wanted) return null
    const entries = await readdir(wanted, { withFileTypes: true })
    const links = entries
      .filter((entry) => !entry.name.startsWith('.') && (entry.isFile() || entry.isDirectory()))
      .map((entry) => entry.name + (entry.isDirectory() ? '/' : ''))
      .sort()
      .map(
        (name) =>
          `=> ${encoded([name.replace(/\/$/, '')]).slice(1)}${name.endsWith('/') ? '/' : ''} ${escapeText(name)}`,
      )
    return `${[`# ${escapeText(segments.at(-1) ?? '/')}`, '', ...links].join('\n')}\n`
  } catch {
    // Whether it does not exist, or must not be seen, a client cannot tell.
    return null
  }
}

function encoded(segments: readonly string[]): string {
  return segments.map((name) => `/${encodeURIComponent(name)}`).join('')
}
