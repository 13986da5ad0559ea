/** JPEG-LS by CharLS, as JavaScript: WebAssembly needs 'wasm-unsafe-eval'. */
export { default as charLs } from "@cornerstonejs/codec-charls/decode";
