// Empties dist and build, and puts the chart into dist, where NorikaeController finds it.
import { cpSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cdk = join(dirname(fileURLToPath(import.meta.url)), '..');
for (const made of ['dist', 'build']) {
  rmSync(join(cdk, made), { recursive: true, force: true });
}
cpSync(join(cdk, '../charts/norikae'), join(cdk, 'dist/chart'), { recursive: true });
