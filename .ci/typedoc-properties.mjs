// What the reference has to say of properties: something, unless the type says it. `kind: 'trusted'` and
// `certificate: Certificate` need no sentence; `at: Date` and `path: string` do. TypeDoc itself sees to everything else.
import { Application, ReflectionKind } from 'typedoc'

const SAYS_NOTHING = new Set(['Date', 'Uint8Array', 'Buffer', 'Array', 'ReadonlyArray', 'Map', 'ReadonlyMap', 'Set'])

/** @param {Application} app */
export function load(app) {
  app.on(Application.EVENT_VALIDATE_PROJECT, (project) => {
    for (const property of project.getReflectionsByKind(ReflectionKind.Property)) {
      if (property.hasComment() || property.flags.isExternal || property.inheritedFrom || isToldByType(property.type)) continue
      app.logger.validationWarning(`${property.getFullName()} (Property) has no documentation, and its type does not tell`)
    }
  })
}

function isToldByType(type) {
  switch (type?.type) {
    case 'literal':
      return true
    case 'reference':
      return !SAYS_NOTHING.has(type.name)
    case 'union':
      return type.types.every((each) => isToldByType(each) && !(each.type === 'literal' && each.value === null))
    case 'reflection':
      return type.declaration.children?.length > 0
    default:
      return false
  }
}
