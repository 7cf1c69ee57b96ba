import { extname } from 'node:path'

const MEDIA_TYPES: ReadonlyMap<string, string> = new Map([
  ['.gmi', 'text/gemini'],
  ['.gemini', 'text/gemini'],
  ['.txt', 'text/plain'],
  ['.text', 'text/plain'],
  ['.log', 'text/plain'],
  ['.asc', 'text/plain'],
  ['.md', 'text/markdown'],
  ['.html', 'text/html'],
  ['.htm', 'text/html'],
  ['.css', 'text/css'],
  ['.csv', 'text/csv'],
  ['.xml', 'text/xml'],
  ['.atom', 'application/atom+xml'],
  ['.rss', 'application/rss+xml'],
  ['.json', 'application/json'],
  ['.toml', 'application/toml'],
  ['.pdf', 'application/pdf'],
  ['.epub', 'application/epub+zip'],
  ['.zip', 'application/zip'],
  ['.gz', 'application/gzip'],
  ['.png', 'image/png'],
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.gif', 'image/gif'],
  ['.webp', 'image/webp'],
  ['.svg', 'image/svg+xml'],
  ['.avif', 'image/avif'],
  ['.mp3', 'audio/mpeg'],
  ['.ogg', 'audio/ogg'],
  ['.opus', 'audio/ogg'],
  ['.flac', 'audio/flac'],
  ['.mp4', 'video/mp4'],
  ['.webm', 'video/webm'],
  ['.pem', 'application/x-pem-file'],
])

/** The media type of a file by its name. `more` goes first: extensions with or without the dot. */
export function mediaTypeOf(name: string, more: Readonly<Record<string, string>>): string {
  const extension = extname(name).toLowerCase()
  return (
    ownValue(more, extension) ??
    ownValue(more, extension.slice(1)) ??
    MEDIA_TYPES.get(extension) ??
    'application/octet-stream'
  )
}

function ownValue(record: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}
