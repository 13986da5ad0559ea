/**
 * Bundles the decoders of the page's viewer into web/vendor, with their licences, and notes what they were
 * made of in built.json. `make viewer-bundle` runs it.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const TARGET = join(HERE, "../../web/vendor");
const inFolder = (folder) => readdirSync(join(HERE, folder)).sort().map((name) => `${folder}/${name}`);
const INPUTS = ["package.json", "package-lock.json", "build.mjs", ...inFolder("entries"), ...inFolder("notices")];
const LOADER = join(HERE, "node_modules/@cornerstonejs/dicom-image-loader/dist/esm");

/** Parts of geotiff that no radiograph needs, and that need WebAssembly or workers of their own; and of Node.js. */
const ABSENT = /^(lerc|zstddec.*|web-worker|\.\/worker\/create\.js|fs|path|http|https|url|zlib)$/;

/** The loader's decoders are not among what its package exports. */
const decoders = {
  name: "decoders",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^cornerstone-decoders\// }, ({ path }) => ({ path: join(LOADER, path.replace("cornerstone-decoders/", "")) }));
    onResolve({ filter: ABSENT }, ({ path }) => ({ path, namespace: "absent" }));
    onLoad({ filter: /.*/, namespace: "absent" }, () => ({ contents: "module.exports = {};" }));
  },
};

const digest = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

/** @returns {string} the nearest package around a file */
function packageOf(file) {
  let folder = dirname(file);
  while (!existsSync(join(folder, "package.json")) || !JSON.parse(readFileSync(join(folder, "package.json"))).version) folder = dirname(folder);
  return folder;
}

/** @param {string} folder of a package */
const factsOf = (folder) => JSON.parse(readFileSync(join(folder, "package.json")));

/** @param {string[]} folders of packages */
function licences(folders) {
  return folders.map((folder) => {
    const { name, version, license } = factsOf(folder);
    const files = readdirSync(folder).filter((each) => /^licen[cs]e/i.test(each));
    const texts = files.map((each) => readFileSync(join(folder, each), "utf8").trim());
    return [`${name} ${version} (${license})`, ...texts].join("\n\n");
  });
}

/** Of what was compiled into packages that do not have it themselves. */
const notices = () => readdirSync(join(HERE, "notices")).sort().map((name) => readFileSync(join(HERE, "notices", name), "utf8").trim());

rmSync(TARGET, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: HERE,
  entryPoints: inFolder("entries"),
  outdir: TARGET,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  metafile: true,
  external: ["node:*", "module"],
  plugins: [decoders],
});
const used = Object.keys(metafile.inputs).filter((path) => path.includes("node_modules/"));
const folders = [...new Set(used.map((path) => packageOf(join(HERE, path))))].sort();
writeFileSync(join(TARGET, "LICENSES.txt"), `${[...licences(folders), ...notices()].join(`\n\n${"-".repeat(80)}\n\n`)}\n`);
const files = (folder, names) => Object.fromEntries(names.map((name) => [name, digest(join(folder, name))]));
const built = {
  packages: Object.fromEntries(folders.map(factsOf).map(({ name, version, license }) => [`${name} ${version}`, license])),
  inputs: files(HERE, INPUTS),
  outputs: files(TARGET, readdirSync(TARGET).sort()),
};
writeFileSync(join(HERE, "built.json"), `${JSON.stringify(built, null, 2)}\n`);
