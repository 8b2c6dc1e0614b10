/** Writes the rule files of Prometheus. */
import { writeFileSync } from 'node:fs'
import { ruleFiles } from '../kit/rules/rule-files.ts'

for (const { name, yaml } of ruleFiles()) {
  writeFileSync(new URL(`../../grafana/rules/${name}`, import.meta.url), yaml)
}
