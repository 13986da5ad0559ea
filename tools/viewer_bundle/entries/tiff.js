/** TIFF, by geotiff. */
export { fromArrayBuffer } from "geotiff";
