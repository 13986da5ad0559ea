/** JPEG 2000 and its High-Throughput form by OpenJPEG, as JavaScript: WebAssembly needs 'wasm-unsafe-eval'. */
export { default as openJpeg } from "@cornerstonejs/codec-openjpeg/decode";
