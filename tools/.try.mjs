import { build } from 'esbuild';
import { writeFileSync } from 'node:fs';
const r = await build({ entryPoints:['/tmp/try.ts'], bundle:true, write:false, platform:'node', format:'cjs', nodePaths:['/work/main/node_modules','/work/main/libs'] , absWorkingDir:'/work/main/libs/rule-engine'});
writeFileSync('/tmp/try.cjs', r.outputFiles[0].text);
