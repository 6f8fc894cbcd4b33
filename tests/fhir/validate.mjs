// Validates FHIR resources in a folder of JSON files with the package `fhir`, which contains R4's
// own structure definitions and value sets.
//
// Usage: node validate.mjs FOLDER

import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const { Fhir } = createRequire(import.meta.url)("fhir");
const fhir = new Fhir();
const folder = process.argv[2];
let [passed, failed] = [0, 0];

for (const name of fs.readdirSync(folder).filter((name) => name.endsWith(".json")).sort()) {
  const resource = JSON.parse(fs.readFileSync(path.join(folder, name), "utf8"));
  const { valid, messages } = fhir.validate(resource, { errorOnUnexpected: true });
  // The court's own types and categories: the bindings of R4 are only "preferred" and "example".
  const isOwnCode = ({ severity, location, message }) =>
    severity === "warning" &&
    /DocumentReference\.(type|category\[\d+\])$/.test(location) &&
    message.endsWith("not found in value set");
  const problems = messages.filter((m) => m.severity !== "info" && !isOwnCode(m));
  if (valid && problems.length === 0) {
    passed += 1;
  } else {
    failed += 1;
    console.log(name, JSON.stringify(problems, null, 1));
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
