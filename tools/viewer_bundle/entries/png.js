/** PNG of 16 bits, of which a browser shows eight, by fast-png. */
export { decode } from "fast-png";
