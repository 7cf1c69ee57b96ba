// What the reference has to say of the properties of classes and interfaces: something, unless the type says it.
// `kind: 'trusted'` and `certificate: Certificate` need no sentence; `at: Date` and `path: string` do. What is in a type
// written in place is explained where that type is used. TypeDoc itself sees to everything that is no property.
import { Application, ReflectionKind } from 'typedoc'

const SAY_NOTHING = new Set(['Date', 'Uint8Array', 'Buffer', 'ReadonlyMap', 'Map', 'ReadonlySet', 'Set'])

/** @param {Application} app */
export function load(app) {
  app.on(Application.EVENT_VALIDATE_PROJECT, (project) => {
    for (const property of project.getReflectionsByKind(ReflectionKind.Property)) {
      const isOfOurs = property.parent?.kindOf([ReflectionKind.Class, ReflectionKind.Interface])
      if (!isOfOurs || property.flags.isExternal || property.inheritedFrom) continue
      if (property.hasComment() || isTold(property.type)) continue
      app.logger.validationWarning(
        `${property.getFullName()} (Property) has no documentation, and its type does not tell`,
      )
    }
  })
}

/** Whether a type says all there is to say of a property that has a good name. */
function isTold(type) {
  switch (type?.type) {
    case 'literal':
      return type.value !== null
    case 'reference':
      return !SAY_NOTHING.has(type.name)
    case 'array':
      return isTold(type.elementType)
    case 'typeOperator':
      return isTold(type.target)
    case 'union':
      return type.types.every(isTold)
    case 'reflection':
      return (type.declaration.children?.length ?? 0) > 0
    default:
      return false
  }
}
