/** `headwater init`: a new project that works at once. */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { error } from '../base/errors.ts'
import { version } from './version.ts'

const PACKAGE = fileURLToPath(new URL('../../', import.meta.url))
/** Copied as it is, but for names that npm would take for its own. */
const TEMPLATE = path.join(PACKAGE, 'template')
const RENAMED = { gitignore: '.gitignore', 'package.template.json': 'package.json' }

export function initCommand(): Command {
  return new Command('init')
    .description('Make a new project: specifications, configuration and a program that logs.')
    .argument('<folder>', 'folder to make')
    .addHelpText('after', '\nExamples:\n  headwater init my-logs')
    .action((folder: string) => {
      const target = path.resolve(folder)
      if (existsSync(target) && readdirSync(target).length > 0) {
        throw error('folder_not_empty', `There are files in ${target}.`)
      }
      cpSync(TEMPLATE, target, { recursive: true })
      for (const [from, to] of Object.entries(RENAMED)) {
        renameSync(path.join(target, from), path.join(target, to))
      }
      for (const file of ['package.json', 'README.md']) fill(path.join(target, file), target)
      process.stdout.write(
        `Made ${folder}. Next:\n  cd ${folder}\n  npm install\n  npx headwater dev\n`,
      )
    })
}

function fill(file: string, target: string): void {
  const text = readFileSync(file, 'utf8')
    .replaceAll('{{name}}', path.basename(target))
    .replaceAll('{{headwater}}', dependency(target))
  writeFileSync(file, text)
}

/** How the new project names headwater: by version when it came from the registry, by path from a checkout. */
function dependency(target: string): string {
  const installed = PACKAGE.split(path.sep).includes('node_modules')
  return installed ? version : `file:${path.relative(target, PACKAGE) || '.'}`
}
