// Builds a page as one does for production, bundled and minified by esbuild. Arguments: the folder to build it in, and
// its module, if it is not main.tsx.
const { copyFileSync } = require("node:fs");
const { join } = require("node:path");
const { buildSync } = require("esbuild");

const [folder, program = "main.tsx"] = process.argv.slice(2);
buildSync({
  absWorkingDir: __dirname,
  entryPoints: [{ in: program, out: "main" }, "main.css"],
  outdir: join(folder, "assets"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  nodePaths: (process.env.NODE_PATH ?? "").split(":").filter(Boolean),
  logLevel: "error",
});
copyFileSync(join(__dirname, "index.html"), join(folder, "index.html"));
