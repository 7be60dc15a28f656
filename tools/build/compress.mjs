// Compresses files for tools/build/assets.py. Standard input: {"quality": brotli's, "files": [path, ...]}; beside each
// path appear path.br and path.gz. Node has brotli, Python's standard library does not.
import { readFile, rename, writeFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import zlib from "node:zlib";

const { BROTLI_PARAM_LGWIN, BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT, BROTLI_MAX_WINDOW_BITS } = zlib.constants;
const [brotli, gzip] = [promisify(zlib.brotliCompress), promisify(zlib.gzip)];

const { quality, files } = JSON.parse(await text(process.stdin));
await Promise.all(files.map(async (path) => {
  const content = await readFile(path);
  const params = {
    [BROTLI_PARAM_QUALITY]: quality,
    [BROTLI_PARAM_LGWIN]: BROTLI_MAX_WINDOW_BITS, // 16 MiB, the most that browsers take
    [BROTLI_PARAM_SIZE_HINT]: content.length,
  };
  await writeFile(`${path}.br`, await brotli(content, { params }));
  await writeFile(`${path}.part`, await gzip(content, { level: Math.min(quality, 9) }));
  await rename(`${path}.part`, `${path}.gz`); // it is there only when both are whole
}));
