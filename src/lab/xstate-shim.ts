/**
 * A shared object that lets User Mode Linux run on processors with more registers than it knows.
 *
 * UML keeps the extended state of its processes in 2,696 bytes (HOST_FP_SIZE in
 * arch/x86/um/user-offsets.c): all up to AVX-512 and PKRU. It restores them with PTRACE_SETREGSET,
 * for which the host requires the whole state (xstateregs_set in arch/x86/kernel/fpu/regset.c):
 * with AMX it is 11,008 bytes, and the guest dies of EFAULT. The object intercepts libc's ptrace()
 * and sends the whole state, whose rest is zero: no process of a guest can have used it, since
 * Linux enables AMX only on request (arch_prctl), and UML has no such request.
 */

/** The segments of the object: one is read and executed, one is written. */
const DATA_ADDRESS = 0x1000;
const GOT_ADDRESS = 0x10a0;
const SIZE_ADDRESS = 0x10a8;
const STATE_ADDRESS = 0x10c0;
/** The maximum size of a processor's state; it is never written to disk. */
const STATE_BYTES = 0x10000;

const CODE_ADDRESS = 0x200;

/** A byte of code, or an address relative to the next instruction. */
type Code = number | { readonly address: number };

const got: Code = { address: GOT_ADDRESS };
const size: Code = { address: SIZE_ADDRESS };
const state: Code = { address: STATE_ADDRESS };

// long ptrace(int request, long pid, long addr, long data): edi, rsi, rdx, rcx
const CODE: readonly (readonly Code[])[] = [
  [0x48, 0x83, 0xec, 0x18], // sub  rsp, 24          one iovec, and a word
  // syscall(SYS_ptrace, request, pid, addr, data) of libc, which sets errno
  [0x49, 0x89, 0xc8], //       mov  r8, rcx
  [0x48, 0x89, 0xd1], //       mov  rcx, rdx
  [0x48, 0x89, 0xf2], //       mov  rdx, rsi
  [0x48, 0x63, 0xf7], //       movsxd rsi, edi
  [0x8d, 0x46, 0xff], //       lea  eax, [rsi-1]
  [0x83, 0xf8, 0x02], //       cmp  eax, 2           PTRACE_PEEKTEXT, PEEKDATA, PEEKUSER
  [0x76, 0x23], //             jbe  peek
  [0x81, 0xfe, 0x05, 0x42, 0, 0], // cmp esi, 0x4205 PTRACE_SETREGSET
  [0x75, 0x09], //             jne  pass
  [0x48, 0x81, 0xf9, 0x02, 0x02, 0, 0], // cmp rcx, 0x202  NT_X86_XSTATE
  [0x74, 0x30], //             je   set
  // pass:
  [0xbf, 0x65, 0, 0, 0], //    mov  edi, 101         SYS_ptrace
  [0x31, 0xc0], //             xor  eax, eax
  [0xff, 0x15, got], //        call [got]
  [0x48, 0x83, 0xc4, 0x18], // add  rsp, 24
  [0xc3], //                   ret
  // peek: libc returns the word that the system call writes
  [0x49, 0x89, 0xe0], //       mov  r8, rsp
  [0xbf, 0x65, 0, 0, 0], //    mov  edi, 101
  [0x31, 0xc0], //             xor  eax, eax
  [0xff, 0x15, got], //        call [got]
  [0x48, 0x85, 0xc0], //       test rax, rax
  [0x78, 0x04], //             js   done
  [0x48, 0x8b, 0x04, 0x24], // mov  rax, [rsp]
  // done:
  [0x48, 0x83, 0xc4, 0x18], // add  rsp, 24
  [0xc3], //                   ret
  // set:
  [0x48, 0x8d, 0x3d, state], // lea rdi, [state]
  [0x48, 0x8b, 0x05, size], // mov  rax, [size]
  [0x48, 0x85, 0xc0], //       test rax, rax
  [0x75, 0x59], //             jne  known
  // Reading the state once tells its length.
  [0x48, 0x89, 0x3c, 0x24], // mov  [rsp], rdi
  [0x48, 0xc7, 0x44, 0x24, 0x08, 0, 0, 0x01, 0], // mov qword [rsp+8], STATE_BYTES
  [0x48, 0x89, 0x54, 0x24, 0x10], // mov [rsp+16], rdx
  [0x41, 0x50], //             push r8
  [0x4c, 0x8d, 0x44, 0x24, 0x08], // lea r8, [rsp+8]
  [0x41, 0x50], //             push r8
  [0xbe, 0x04, 0x42, 0, 0], // mov  esi, 0x4204      PTRACE_GETREGSET
  [0xbf, 0x65, 0, 0, 0], //    mov  edi, 101
  [0x31, 0xc0], //             xor  eax, eax
  [0xff, 0x15, got], //        call [got]
  [0x41, 0x58], //             pop  r8
  [0x41, 0x58], //             pop  r8
  [0x48, 0x85, 0xc0], //       test rax, rax
  [0x78, 0xb2], //             js   done
  [0x48, 0x8b, 0x4c, 0x24, 0x08], // mov rcx, [rsp+8]
  [0x48, 0x89, 0x0d, size], // mov  [size], rcx
  [0x48, 0x8d, 0x3d, state], // lea rdi, [state]
  [0x31, 0xc0], //             xor  eax, eax
  [0xf3, 0xaa], //             rep  stosb
  [0x48, 0x8b, 0x54, 0x24, 0x10], // mov rdx, [rsp+16]
  [0x48, 0x8d, 0x3d, state], // lea rdi, [state]
  // known: what UML sends, and zeros behind it
  [0x48, 0x89, 0x3c, 0x24], // mov  [rsp], rdi
  [0x48, 0x8b, 0x05, size], // mov  rax, [size]
  [0x48, 0x89, 0x44, 0x24, 0x08], // mov [rsp+8], rax
  [0x49, 0x8b, 0x30], //       mov  rsi, [r8]
  [0x49, 0x8b, 0x48, 0x08], // mov  rcx, [r8+8]
  [0x48, 0x39, 0xc1], //       cmp  rcx, rax
  [0x48, 0x0f, 0x47, 0xc8], // cmova rcx, rax
  [0xf3, 0xa4], //             rep  movsb
  [0x49, 0x89, 0xe0], //       mov  r8, rsp
  [0xb9, 0x02, 0x02, 0, 0], // mov  ecx, 0x202
  [0xbe, 0x05, 0x42, 0, 0], // mov  esi, 0x4205
  [0xe9, 0x32, 0xff, 0xff, 0xff], // jmp pass
];

/** The bytes of {@link CODE}, its addresses resolved. */
function assemble(): number[] {
  const bytes: number[] = [];
  for (const instruction of CODE) {
    for (const part of instruction) {
      if (typeof part === "number") {
        bytes.push(part);
        continue;
      }
      const next = CODE_ADDRESS + bytes.length + 4;
      const offset = part.address - next;
      for (let shift = 0; shift < 32; shift += 8) bytes.push((offset >> shift) & 0xff);
    }
  }
  return bytes;
}

/** The shared object, for LD_PRELOAD of an x86-64 process with glibc. */
export function xstateShim(): Uint8Array {
  const file = new Uint8Array(GOT_ADDRESS);
  const view = new DataView(file.buffer);
  const put = (at: number, width: 2 | 4 | 8, ...values: number[]): void => {
    for (const [i, value] of values.entries()) {
      if (width === 2) view.setUint16(at + i * 2, value, true);
      else if (width === 4) view.setUint32(at + i * 4, value, true);
      else view.setBigUint64(at + i * 8, BigInt(value), true);
    }
  };
  const segment = (index: number, type: number, flags: number, ...words: number[]): void => {
    put(PROGRAM_HEADERS + index * 56, 4, type, flags);
    put(PROGRAM_HEADERS + index * 56 + 8, 8, ...words);
  };
  const code = assemble();
  const dataEnd = STATE_ADDRESS + STATE_BYTES;
  // Elf64_Ehdr: ELF, 64 bits, little endian; a shared object for x86-64.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  put(16, 2, 3, 62);
  put(20, 4, 1);
  put(32, 8, PROGRAM_HEADERS);
  put(52, 2, 64, 56, 4, 64);
  // Elf64_Phdr: offset, two addresses, bytes in the file and in memory, alignment.
  segment(0, 1, 5, 0, 0, 0, CODE_ADDRESS + code.length, CODE_ADDRESS + code.length, 0x1000);
  const written = GOT_ADDRESS - DATA_ADDRESS;
  segment(
    1,
    1,
    6,
    DATA_ADDRESS,
    DATA_ADDRESS,
    DATA_ADDRESS,
    written,
    dataEnd - DATA_ADDRESS,
    0x1000,
  );
  segment(
    2,
    2,
    6,
    DATA_ADDRESS,
    DATA_ADDRESS,
    DATA_ADDRESS,
    DYNAMIC.length * 16,
    DYNAMIC.length * 16,
    8,
  );
  // Without it, the loader assumes that the object needs an executable stack.
  segment(3, 0x6474e551, 6, 0, 0, 0, 0, 0, 16);
  // Elf64_Sym: nothing, ptrace (a global function, here), syscall (a global function, elsewhere).
  put(SYMBOLS + 24, 4, 1);
  file.set([0x12, 0, 1, 0], SYMBOLS + 28);
  put(SYMBOLS + 32, 8, CODE_ADDRESS, code.length);
  put(SYMBOLS + 48, 4, 8);
  file.set([0x12], SYMBOLS + 52);
  file.set(NAMES, STRINGS);
  // One bucket, a chain of all symbols.
  put(HASH, 4, 1, 3, 1, 0, 2, 0);
  // Elf64_Rela: R_X86_64_GLOB_DAT of symbol 2.
  put(RELOCATIONS, 8, GOT_ADDRESS, 2 * 2 ** 32 + 6, 0);
  file.set(code, CODE_ADDRESS);
  put(DATA_ADDRESS, 8, ...DYNAMIC.flat());
  return file;
}

const PROGRAM_HEADERS = 0x40;
const SYMBOLS = 0x120;
const STRINGS = 0x168;
const HASH = 0x180;
const RELOCATIONS = 0x198;
const NAMES: Uint8Array = new TextEncoder().encode("\0ptrace\0syscall\0");

/** Elf64_Dyn: DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT, DT_RELA, DT_RELASZ, DT_RELAENT, DT_NULL. */
const DYNAMIC: readonly (readonly [tag: number, value: number])[] = [
  [4, HASH],
  [5, STRINGS],
  [6, SYMBOLS],
  [10, NAMES.length],
  [11, 24],
  [7, RELOCATIONS],
  [8, 24],
  [9, 24],
  [0, 0],
];

/**
 * Whether User Mode Linux needs the object here: beyond the state that it keeps, a process on
 * today's Linux can only have AMX. The state of later processors (APX) takes the place of an older
 * one.
 * @param cpuinfo the text of /proc/cpuinfo
 */
export function wantsXstateShim(cpuinfo: string): boolean {
  return /^flags\s*:.*\bamx_tile\b/m.test(cpuinfo);
}
