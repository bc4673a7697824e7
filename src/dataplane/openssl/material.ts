/** Gives a certificate chain and its key to an OpenSSL context. */

type Call = (...values: readonly (number | Buffer | null)[]) => number;

const CTRL_EXTRA_CHAIN_CERT = 14;

/** @param f declares a function of the library. @param complaint OpenSSL's last error. */
export const bindMaterial = (f: (declaration: string) => Call, complaint: () => string) => {
  const ctxCtrl = f("long SSL_CTX_ctrl(int64_t context, int command, long number, int64_t argument)");
  const useCertificate = f("int SSL_CTX_use_certificate(int64_t context, int64_t certificate)");
  const useKey = f("int SSL_CTX_use_PrivateKey(int64_t context, int64_t key)");
  const checkKey = f("int SSL_CTX_check_private_key(int64_t context)");
  const memory = f("int64_t BIO_new_mem_buf(const void *bytes, int length)");
  const bioFree = f("int BIO_free(int64_t bio)");
  const readCertificate = f("int64_t PEM_read_bio_X509(int64_t bio, void *into, void *callback, void *user)");
  const readKey = f("int64_t PEM_read_bio_PrivateKey(int64_t bio, void *into, void *callback, void *user)");
  const certificateFree = f("void X509_free(int64_t certificate)");
  const keyFree = f("void EVP_PKEY_free(int64_t key)");
  const clearErrors = f("void ERR_clear_error()");

  const withMemory = (bytes: Buffer, use: (bio: number) => void): void => {
    const bio = memory(bytes, bytes.length);
    try {
      use(bio);
    } finally {
      bioFree(bio);
    }
  };

  return (context: number, certificate: Buffer, key: Buffer): void => {
    clearErrors();
    withMemory(certificate, (bio) => {
      const leaf = readCertificate(bio, null, null, null);
      if (leaf === 0) throw new Error(`the certificate cannot be read: ${complaint()}`);
      const isTaken = useCertificate(context, leaf) === 1;
      certificateFree(leaf);
      if (!isTaken) throw new Error(`the certificate cannot be used: ${complaint()}`);
      for (;;) {
        const issuer = readCertificate(bio, null, null, null);
        if (issuer === 0) break;
        // The context owns it from here on.
        ctxCtrl(context, CTRL_EXTRA_CHAIN_CERT, 0, issuer);
      }
      clearErrors();
    });
    withMemory(key, (bio) => {
      const secret = readKey(bio, null, null, null);
      if (secret === 0) throw new Error(`the key cannot be read: ${complaint()}`);
      const isTaken = useKey(context, secret) === 1;
      keyFree(secret);
      if (!isTaken || checkKey(context) !== 1)
        throw new Error(`the key is not that of the certificate: ${complaint()}`);
    });
  };
};
