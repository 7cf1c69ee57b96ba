import { readdirSync, readFileSync } from 'node:fs'

const folder = new URL('../vectors/certificates/', import.meta.url)

/** The PEM of a certificate in test/vectors/certificates, by its name. */
export function vectorPem(name: string): string {
  return readFileSync(new URL(`${name}.pem`, folder), 'utf8')
}

/** The names of all certificates there. */
export function vectorNames(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.pem') && file !== 'request.pem')
    .map((file) => file.slice(0, -4))
}
