/* SPDX-License-Identifier: GPL-3.0-or-later */
// Tokens and keys as others make them: RFCs, PyJWT, jose; and attacks on them. All but those
// of RFCs hold from 2023-11-14 to the year 2100, are from https://login.example, for other and
// sluice, of ada, with the roles operator and guest. Their private keys are thrown away.
#ifndef TESTS_UNIT_JWT_VECTORS_H
#define TESTS_UNIT_JWT_VECTORS_H

/* RFC 7515 A.1, A.2, A.3: HS256, RS256, ES256. They hold until 1300819380. */
#define VECTOR_A1 \
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQo" \
    "gImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOE" \
    "jXk"

#define VECTOR_A1_JWK \
    "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-" \
    "1qS0gZH75aKtMN3Yj0iPS4hcg" \
    "UuTwjAzZr1Z9CAow\"}"

#define VECTOR_A2 \
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGx" \
    "lLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5R" \
    "Zmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrn" \
    "byTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHW" \
    "EsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig" \
    "cN_IoypGlUPQGe77Rw"

#define VECTOR_A2_JWK \
    "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_" \
    "wWJcyQoTbji9k0l8W26mPddxH" \
    "mfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZ" \
    "o9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTB" \
    "QY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAc" \
    "DTW9gb54h4FRWyuXpoQ\"}"

#define VECTOR_A3 \
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGx" \
    "lLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8I" \
    "SlSApmWQxfKTUJqPP3-Kg6NU1Q"

#define VECTOR_A3_JWK \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu" \
    "9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"

/* RFC 7519 6.1: a token that nobody signed. */
#define VECTOR_7519 \
    "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl" \
    "LmNvbS9pc19yb290Ijp0cnVlfQ."

/* RFC 8037 A.4: Ed25519; what is signed is text, and no claims. */
#define VECTOR_8037 \
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09P" \
    "GcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

#define VECTOR_8037_JWK \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"

/* Public keys of all algorithms, and three that are not for us. */
#define VECTOR_JWKS \
    "{\"keys\":[{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"xON3k5-StabfgLPojE2Jr81E_nN6od-" \
    "46QbUsMXjoL2gZiC3Wt" \
    "EPxFWkstMKHHsYjP08tIaOZRncTENpRWGO812Ylx1Gt_FltlX7egGRG3pwkbNKWUyH25cVNJvhHV_c5BRjCirze2" \
    "vCRSclsUQ58aYAyF2IDZK6PtLk50PASrb1Ot-HHBUqGq2P6IaTfmAN7_SxPW-wBB6MHbDS5EV-68O1QSqLEkNbD2" \
    "nhd8Rrwtw6j8ULy6xnWTD2BfCkSDdxJ5b8AfH6J5sXel_wxbn4c0EnpzdCIFpR_tGw10KXzwZrTWLEFPjHWgFiPB" \
    "T1aQmCZ5r6wfEZnY8ivDCQpH7bOw\",\"kid\":\"rs\",\"alg\":\"RS256\",\"use\":\"sig\"},{\"e\":" \
    "\"AQAB\",\"kty\":\"R" \
    "SA\",\"n\":\"o73G_QMJi0nPb-1SZsB_-tPsaAB1wqug-PxaIDdGW4rL7jbQ1_54ovPo-uJmPF7vQUdnUckErMNOs_S" \
    "GBLn-7uNw3xjesm5nLFo4q9I7bYUySI0r4-BdBK2NJkDLblXCz0VoVHlC226sXYa4BGbwFOeM2NgLB-ScsgTDXpK" \
    "-zyGk2rUCgxm37hZnaSiGpP2zLB14bz__8Xh4LB6ym8dL09FX5it93IKl0Bc7wffySYMzyWcA0tHH0KTyt-IXHUB" \
    "QuaYTfn_U2pKFnlZAl5xtF4isHMDUB1UkMlet6rgNNRzgo8qRh3nW0iszQXlbBxJxXReQBtraJOGIj7a_CAB865l" \
    "VFjn0OvaS7bEG-3mbcrNE93SgnCjEFbcuPeA38XJj5gJKrvy30SECaFs3sfWxnQmc7sZlnU8_XR-E4z5NgZB1AQY" \
    "8MW-pALvx5Qb_72qBEUf3XtwMKDTLvEHjvNPpDkd-cWv3hAqo_B0UfY7_HKgRoiGaXuIlaSdhGW17ckN6h0Y57j2" \
    "O-rMfa94euNbS_r0zaa2FQQESkI4YdKCAm6G4Nje0r02n23vJVA3vbaO8AnHlvgDZ-14M5bBXtqsqxdJ9ttFgHHM" \
    "Jk1XN3Lk_gQptucFq4Rwq1eTUEzc0FAusVihNszPty69Hne0JAMozQTZKr-qAXq6RXxa33sWwogs\",\"kid\":" \
    "\"ps\"" \
    ",\"alg\":\"PS256\",\"key_ops\":[\"verify\"]},{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":" \
    "\"ZGXFX79giU7Pmyfh8wbL" \
    "oGR3GWTjea9p3CT0u_9qxe4\",\"y\":\"tJUlqY4sEAjUmbVbK3jAyRYj1AAkrsIcl8AyL_I-qwk\",\"kid\":" \
    "\"es\"},{" \
    "\"crv\":\"P-384\",\"kty\":\"EC\",\"x\":\"0EhEYOerEWT6Ep19h4XN9LlOh27G_" \
    "6UdObVKqTnQebDqDPBwhtPd2OjrTa" \
    "EMU2kk\",\"y\":\"uoV7yPPWmfCEZ6NYg-Rf_ETdw7KxsS_0Wh5WY12mo4khvbrbCD7WO9WIfyJaC1qr\",\"kid\":" \
    "\"es" \
    "3\",\"alg\":\"ES384\"},{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":" \
    "\"5imOIqsQKUrinmlzKhET0BYVdeRvb76ulG9r" \
    "Sx3ZLMc\",\"kid\":\"ed\",\"alg\":\"EdDSA\"},{\"e\":\"Aw\",\"kty\":\"RSA\",\"n\":" \
    "\"t8T7TCKcVqUC3YnC89Iv7wEW7b" \
    "IyOZmGyU7HPnUEjrjg4ItDFPbeHM3wHxGw8M_jg_sgwZKK30duQOJOz96R3R0J4VLcuMBF8tA8b1HQCp013sHjtK" \
    "5rLTZWPRizaSUWjrlyaQOPyJ66gvOhBYmQZsMSBb-6D-ifKCKrcMQKhChkiJdb3pUMHrTCoqUlngmsnngPEJdSbJ" \
    "su8R4eRHynQ_8-pyUCu7DTWtDDnXleYbaBnCS8v5m5dj_OBX3_4ZScI-ADRsJL43ckCGyraOCuxaEj1boLnGoTxG" \
    "yglbiEKnzlVgbYJCnncsy0NlP0vP9zQjIyWnmI0pGBGnE0eKqbLw\",\"kid\":\"enc\",\"use\":\"enc\"," \
    "\"alg\":\"RSA" \
    "-OAEP\"},{\"crv\":\"P-521\",\"kty\":\"EC\",\"x\":\"AEYZP8F7trH2i1alJIsaD7d-" \
    "vMUqJWWFGT20m3W2R5l5Xqs7q" \
    "pHEyNTq0RtoA8KPJJn9mZH-tWhZK95W3ZdfBzHK\",\"y\":\"AEsy2IMMGtybZnM9EDgCYIGx_45dr9XZorkvAZBosO" \
    "8eATysglrZFvH_RZwFPyTRR1KgW-76dRrts_NgCz7JrvbX\",\"kid\":\"es5\",\"alg\":\"ES512\"},{" \
    "\"kty\":\"futur" \
    "e\",\"kid\":\"x\"}]}"

#define VECTOR_SECRET_JWK \
    "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"hs\",\"k\":" \
    "\"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1-f4CBgoM\"}"

#define VECTOR_PEM_RS256 \
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxON3k5+StabfgLPoj" \
    "E2J\nr81E/nN6od+46QbUsMXjoL2gZiC3WtEPxFWkstMKHHsYjP08tIaOZRncTENpRWGO\n812Ylx1Gt/FltlX7egG" \
    "RG3pwkbNKWUyH25cVNJvhHV/c5BRjCirze2vCRSclsUQ5\n8aYAyF2IDZK6PtLk50PASrb1Ot+HHBUqGq2P6IaTfm" \
    "AN7/SxPW+wBB6MHbDS5EV+\n68O1QSqLEkNbD2nhd8Rrwtw6j8ULy6xnWTD2BfCkSDdxJ5b8AfH6J5sXel/wxbn4\n" \
    "c0EnpzdCIFpR/tGw10KXzwZrTWLEFPjHWgFiPBT1aQmCZ5r6wfEZnY8ivDCQpH7b\nOwIDAQAB\n-----END PUBLI" \
    "C KEY-----\n"

#define VECTOR_PEM_E3 \
    "-----BEGIN PUBLIC KEY-----\nMIIBIDANBgkqhkiG9w0BAQEFAAOCAQ0AMIIBCAKCAQEAt8T7TCKcVqUC3YnC8" \
    "9Iv\n7wEW7bIyOZmGyU7HPnUEjrjg4ItDFPbeHM3wHxGw8M/jg/sgwZKK30duQOJOz96R\n3R0J4VLcuMBF8tA8b1H" \
    "QCp013sHjtK5rLTZWPRizaSUWjrlyaQOPyJ66gvOhBYmQ\nZsMSBb+6D+ifKCKrcMQKhChkiJdb3pUMHrTCoqUlng" \
    "msnngPEJdSbJsu8R4eRHyn\nQ/8+pyUCu7DTWtDDnXleYbaBnCS8v5m5dj/OBX3/4ZScI+ADRsJL43ckCGyraOCu\n" \
    "xaEj1boLnGoTxGyglbiEKnzlVgbYJCnncsy0NlP0vP9zQjIyWnmI0pGBGnE0eKqb\nLwIBAw==\n-----END PUBLI" \
    "C KEY-----\n"

#define VECTOR_PEM_R4096 \
    "-----BEGIN PUBLIC KEY-----\nMIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAo73G/QMJi0nPb+1SZ" \
    "sB/\n+tPsaAB1wqug+PxaIDdGW4rL7jbQ1/54ovPo+uJmPF7vQUdnUckErMNOs/SGBLn+\n7uNw3xjesm5nLFo4q9I" \
    "7bYUySI0r4+BdBK2NJkDLblXCz0VoVHlC226sXYa4BGbw\nFOeM2NgLB+ScsgTDXpK+zyGk2rUCgxm37hZnaSiGpP" \
    "2zLB14bz//8Xh4LB6ym8dL\n09FX5it93IKl0Bc7wffySYMzyWcA0tHH0KTyt+IXHUBQuaYTfn/U2pKFnlZAl5xt\n" \
    "F4isHMDUB1UkMlet6rgNNRzgo8qRh3nW0iszQXlbBxJxXReQBtraJOGIj7a/CAB8\n65lVFjn0OvaS7bEG+3mbcrN" \
    "E93SgnCjEFbcuPeA38XJj5gJKrvy30SECaFs3sfWx\nnQmc7sZlnU8/XR+E4z5NgZB1AQY8MW+pALvx5Qb/72qBEU" \
    "f3XtwMKDTLvEHjvNPp\nDkd+cWv3hAqo/B0UfY7/HKgRoiGaXuIlaSdhGW17ckN6h0Y57j2O+rMfa94euNbS\n/r0z" \
    "aa2FQQESkI4YdKCAm6G4Nje0r02n23vJVA3vbaO8AnHlvgDZ+14M5bBXtqsq\nxdJ9ttFgHHMJk1XN3Lk/gQptucF" \
    "q4Rwq1eTUEzc0FAusVihNszPty69Hne0JAMoz\nQTZKr+qAXq6RXxa33sWwogsCAwEAAQ==\n-----END PUBLIC K" \
    "EY-----\n"

#define VECTOR_PEM_ES256 \
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZGXFX79giU7Pmyfh8wbLoGR3G" \
    "WTj\nea9p3CT0u/9qxe60lSWpjiwQCNSZtVsreMDJFiPUACSuwhyXwDIv8j6rCQ==\n-----END PUBLIC KEY----" \
    "-\n"

#define VECTOR_PEM_ES384 \
    "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE0EhEYOerEWT6Ep19h4XN9LlOh27G/" \
    "6Ud\nObVKqTnQebDqDPBwhtPd2OjrTaEMU2kkuoV7yPPWmfCEZ6NYg+Rf/ETdw7KxsS/0\nWh5WY12mo4khvbrbCD7" \
    "WO9WIfyJaC1qr\n-----END PUBLIC KEY-----\n"

#define VECTOR_PEM_ES512 \
    "-----BEGIN PUBLIC KEY-----\nMIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQARhk/wXu2sfaLVqUkixoPt368x" \
    "Sol\nZYUZPbSbdbZHmXleqzuqkcTI1OrRG2gDwo8kmf2Zkf61aFkr3lbdl18HMcoASzLY\ngwwa3Jtmcz0QOAJggbH" \
    "/jl2v1dmiuS8BkGiw7x4BPKyCWtkW8f9FnAU/JNFHUqBb\n7vp1Gu2z82ALPsmu9tc=\n-----END PUBLIC KEY--" \
    "---\n"

#define VECTOR_PEM_ED25519 \
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA5imOIqsQKUrinmlzKhET0BYVdeRvb76ulG9rSx3ZLMc=\n" \
    "-----END PUBLIC KEY-----\n"

#define VECTOR_PEM_PKCS1 \
    "-----BEGIN RSA PUBLIC KEY-----\nMIIBCgKCAQEAxON3k5+StabfgLPojE2Jr81E/nN6od+46QbUsMXjoL2gZ" \
    "iC3WtEP\nxFWkstMKHHsYjP08tIaOZRncTENpRWGO812Ylx1Gt/FltlX7egGRG3pwkbNKWUyH\n25cVNJvhHV/c5BR" \
    "jCirze2vCRSclsUQ58aYAyF2IDZK6PtLk50PASrb1Ot+HHBUq\nGq2P6IaTfmAN7/SxPW+wBB6MHbDS5EV+68O1QS" \
    "qLEkNbD2nhd8Rrwtw6j8ULy6xn\nWTD2BfCkSDdxJ5b8AfH6J5sXel/wxbn4c0EnpzdCIFpR/tGw10KXzwZrTWLEF" \
    "PjH\nWgFiPBT1aQmCZ5r6wfEZnY8ivDCQpH7bOwIDAQAB\n-----END RSA PUBLIC KEY-----\n"

#define VECTOR_PEM_R1024 \
    "-----BEGIN PUBLIC KEY-----\nMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCo+6ol4xgbUOaLl1ysUBoXe" \
    "dqE\nEnfY1H7XsJcJomK8clzgehNuR8f/Kk6ykrIPbTxEvDYE+E7Y65zNJwZ/0U6rBh+F\n96jzqRdY0h46T18UDHA" \
    "CBy7YV/U6qwAECVQ0I4Jmz6rkuve8UgXor+skAWouJQCf\nKwG+L27a/NoUOFtYmwIDAQAB\n-----END PUBLIC K" \
    "EY-----\n"

#define VECTOR_PEM_R4104 \
    "-----BEGIN PUBLIC KEY-----\nMIICIzANBgkqhkiG9w0BAQEFAAOCAhAAMIICCwKCAgIAsYV/EE+w3y5fBk8go" \
    "ol/\nG4A6/sbAgjp9xDo3tG8Q9N1C7Yj9YywVZ6KmJ0oMI1XGv8lSTl3iPZS/RJxyMY8d\n30XQ7ibgkd80D4R6NPk" \
    "B9BgJeVBjHDGgILFiOh8VIcH7pvyYc5i8gQB0urt1J6dZ\n9UX0p34p0xR1KTeMYW0hM0prEW5Ptwokz5wOCC3igt" \
    "vkz+pMLxGNNTJa/3LCyHGl\nEpDdsAYIfZcpAVKyhD605LFXgiCLFKqvI6zpSvWOxilUF0915rUkMozjtOghZOPg\n" \
    "iG9ppdBtWXKdNBLxjDuGaqKy//c3mvHUWRi2SIFUcSmqsR6cb6dB24pXg4+v+6vx\n+0dlY1ceMCKo+ykPE6R7H1D" \
    "AvqQX41t6iqQQTwdjZrbNDdjBlAQfNeh9u8Q6Q0yx\n47QU4qj3GZSXyz/9aSq4X2qZ9Jj1xjPVM7TqI+xYIlM9QF" \
    "f1tgtG5cfkx+2oxBAk\nh2w40DAl6cMaVcf2T2IGeA2FIM8/9jOSQ4008WXw/60UJ+OkBawLaM61QEiNIM4r\nYjH/" \
    "8ShSbomVAro3JozQH2rXrkj8fsSU8/xZtU7zExO25+jdCB/KhMX+gqiab4xX\nwABKQaYUzfgp/DcA1DSu4rzPoWn" \
    "BuHelUTIJiy97bKN++RcqspmVOkaL3V0sF8Zs\n3P94CVdzZAkfBahY6qoRd1KdAgMBAAE=\n-----END PUBLIC K" \
    "EY-----\n"

/* Made by PyJWT 2.6 */
#define VECTOR_PY_HS256 \
    "eyJhbGciOiJIUzI1NiIsImtpZCI6ImhzIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1w" \
    "bGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3" \
    "MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.-" \
    "IuQi2mCWgWbCfnorVEUgKwI1f4Xt3St1zQ6fd1maNo"

#define VECTOR_PY_RS256 \
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1w" \
    "bGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3" \
    "MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.I" \
    "aCIqWHa0NkmaLCjwCA-FVD4EZdbUfAIci6j7e3ll4tyMIWktKX2HTAqDKaa9A_z41ZuvrQnEWEQOQNf13hww3WA7" \
    "ntf48hR5g9oMPYA_LF6UFProTfO8_Dwbe9kwCmo9WGSsz9ZycFk4H_hBoqZw9o0TO5r72yi7Lk1tRLHZqnFcgwTu" \
    "vBMBJyb386nGNOKq3u3n4Xeik7PVXez0E8oxXaI-FMHjyQfWS_NVQ0OgRBGDO9zQ0MSFg7QPQ5oWSlzPof6Pn-MX" \
    "kF_XvexRnnCfCE9ud3uFbxgrGC9TctQ1tMWwCY3ZmrrX3AtHOFxPEy-AtFkQUjixzRGFCSJhH-mSw"

#define VECTOR_PY_PS256 \
    "eyJhbGciOiJQUzI1NiIsImtpZCI6InBzIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1w" \
    "bGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3" \
    "MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.c" \
    "4GUZKtu5Lzew0vGgIgbU48-bxkKHMNSOd3bC2WbanHpUMeVPUwTXYpspurOGjL0vKfyLVgBJLO2nRm-VkEb8VysI" \
    "Psq7HcCA1fyjNciOdvkSoZ-48SRxO_s_thZD0CIE-mmXSDm2L6SlefnCzqAbg7v_tCYDiGbTw_d-Exp2Wwr0Hjf1" \
    "WkrdbQNI4lI7FHDPeV4rOkaZTzRoW4QC4xXoHyjZWiCWqx4tkSjUzX8CkqrlmSpJUFrhV2t1Kw_XMKjurDz10n5m" \
    "3d_mkxsfNfHU6d_cW3zHiVM-q3JkrmjQ2dMIQ5o8qPXh7ygnqJlkL33pYALFKwp0sXYMuT9p6AuGVuGKIkj9Gt7M" \
    "mQCBbS91PRo8G1yhoz4ej4YYqhkxnQmuho6IKaqVLP67M2Yv8mHAj92LpoUvxQQashRIL6V3l6aVb-I4A1V6iEbp" \
    "tT55mg7pYnaQYb3nCbKvbMiIuA68cxyLrFI20OS6DjNYetEr7MNRANfQuF0FP0KPdTmPrQ4RTyh4mpaxIx4N03nZ" \
    "Zn6Pe5OZQuf8WjudCzK6VkXuIOv7mVTo0-GrJwtXg-Zm3XKBDWsP9v94rCzgljHjW66QQLmRHNgvztokOEmTqZBk" \
    "krCH-OQHU-3MUpLOAq58SSnRAlqTOBuCAae-4KZ9wr_JqSBKe_24ej-G8a3RmA7eyM"

#define VECTOR_PY_ES256 \
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVzIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1w" \
    "bGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3" \
    "MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.z" \
    "xJ_qtV4bWbU_Hb4O26PsK1z710Rph5QHUUj3JQMfpB2zpGXGQjbWApzXZtyJ-r18VLjPl4d3E6MGBuiETlpAg"

#define VECTOR_PY_ES384 \
    "eyJhbGciOiJFUzM4NCIsImtpZCI6ImVzMyIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1" \
    "wbGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE" \
    "3MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ." \
    "dZApfCWX1T_6GvNiDYPkf0POGuSNUWnuJN3_hwAua8VTzBQxmO4Bg0vssGNAFyO3PHPEsquCpc58LZiw-Tarvohc" \
    "cp3Su7B5izhc0YDlm9O6DlzN06b5Ltjt9YZUxjP3"

#define VECTOR_PY_EDDSA \
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1w" \
    "bGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3" \
    "MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.i" \
    "26Y6_JAOAAJ0MGauPYXTh4dcC_ZKKBg-ZVAIvIMJvxf39Txq9Qwsk-GtrNskolASNVBC_gzlU3UWYF7XFgfAA"

#define VECTOR_PY_ES512 \
    "eyJhbGciOiJFUzUxMiIsImtpZCI6ImVzNSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1" \
    "wbGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE" \
    "3MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ." \
    "ALbNhcRm7KCxId3zKZfv4F8yHuPy9LJrzRSeQPucF35L6oNib2wLX-qmdMlJMFiKJO8Bmxr7rk3ohDy0vOoYNNT3" \
    "ALY8TN7Dr9HqtsX4cTsRjEZoNkJj6AGcldZMw2ib-SG-1bnmaM2Mb9OgKm4yJF_ma90FpdzfD6iTrAWvNRvQHKSG"

#define VECTOR_PY_RS512 \
    "eyJhbGciOiJSUzUxMiIsImtpZCI6InJzIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1w" \
    "bGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3" \
    "MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.q" \
    "kDFPo90tMoApKdSCmBoQEEF6riwceTYnMujBlzfaRBfqzqEQL6cGEpWcsp0iolW0tv0Ha6RTfmNn6pbaMIk8MvMk" \
    "DzxjpNz5c0poqRiue6OFvHfHTHicSkeLVqiPXhMmsfwJ3yiL7hnvhisGn9-LSIzfiZNc911hRmlExeejKDsx2Wfd" \
    "38Qc9qRk2_tjRuTyUYOt5QhUoDbUki78hRiH-Bfp2MWZB_UiPE72cMtyk_2Q611kOS9ghNY2ryHmDaKNe0y7WR6D" \
    "-19_w1xOou-59fEfBOo4-OSzXsHzlHNw_AxSFm02i_mttKtzgPe_Iu3H40wkEWKrHYrmeYDqZNRAA"

/* Made by jose 6.2 of npm */
#define VECTOR_JOSE_HS256 \
    "eyJhbGciOiJIUzI1NiIsImtpZCI6ImhzIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUiLCJzdWIiOiJh" \
    "ZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3MDAwMDAwMDAsImlh" \
    "dCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.OhHGaDcEfjITRbsxu" \
    "tNURufXzSukmMSfkmqxI75nYkE"

#define VECTOR_JOSE_RS256 \
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1w" \
    "bGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3" \
    "MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.I" \
    "aCIqWHa0NkmaLCjwCA-FVD4EZdbUfAIci6j7e3ll4tyMIWktKX2HTAqDKaa9A_z41ZuvrQnEWEQOQNf13hww3WA7" \
    "ntf48hR5g9oMPYA_LF6UFProTfO8_Dwbe9kwCmo9WGSsz9ZycFk4H_hBoqZw9o0TO5r72yi7Lk1tRLHZqnFcgwTu" \
    "vBMBJyb386nGNOKq3u3n4Xeik7PVXez0E8oxXaI-FMHjyQfWS_NVQ0OgRBGDO9zQ0MSFg7QPQ5oWSlzPof6Pn-MX" \
    "kF_XvexRnnCfCE9ud3uFbxgrGC9TctQ1tMWwCY3ZmrrX3AtHOFxPEy-AtFkQUjixzRGFCSJhH-mSw"

#define VECTOR_JOSE_PS256 \
    "eyJhbGciOiJQUzI1NiIsImtpZCI6InBzIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1w" \
    "bGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3" \
    "MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.P" \
    "FyQetmnn80hu3K-xT9A6a4uxx5Ux5Sxfp9oKQ6ugM2HKA-sEyl_7IuOBUU0YvikolDHH_42J9vvRSVzxIXA16okj" \
    "uhmm6lMflMwXnewHmRIc-lnZz15R1vkzLj7QlGD39V3Yq9yMPNL1IX4xILjjprKimUGGd9k4K9A-MwoJxE_yOzYZ" \
    "19K8D-s5oOZkfx_CmWw8j1jRjq7ZwTTzRxERA1eMBlSkW0O8pPdSymNiag53Jo_ldSr8x3v8-hO-Dq_bnGhvW2GA" \
    "d5G0Ff6HM9dXzILmnFUja84VIcXhy8aLzosil9iRWh6uWBWsHbYuoJu6d66uf-zzqkDJehs8iQYp-G3PxYhKHAZZ" \
    "9RTEZT_lWu4FYv--ykh9-lu_wTgVPWCMm2T95b33pWTX6NWb7alZOINjWSzyTpAq9hlslbbJYvDXIswXMRRXPOoc" \
    "_hP8SV-w9M028Fb-4ch3-AtaIXi0lqggVa55ipfvdQ8gf7xoGvBaAiXcNe33Zz-1UUU2glcUUbD1eNH5A0oSbuQk" \
    "dLDtf8GnylmFZ-byK4EK2M3YIK8pPvOqtxopTLM4M-YD10202DSuvLQPEJqQodZYl0g3wm23IX_ax9Uu-n6bQ7jd" \
    "YFJjbr8tQciSFWhICqQ5j3zv4rMiR2KRSgYnzwl-glzUGC-9uLu7zQB11oCAUMHKRo"

#define VECTOR_JOSE_ES256 \
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVzIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1w" \
    "bGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3" \
    "MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.m" \
    "Hdh7uUwFpwzLr0AsEXXoBZChjCsGVx6ymik5vATn9nWEfnH4je2Wove_l9LEoVELXAywBwKTIU0k1siLItpvg"

#define VECTOR_JOSE_ES384 \
    "eyJhbGciOiJFUzM4NCIsImtpZCI6ImVzMyIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1" \
    "wbGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE" \
    "3MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ." \
    "RQ-Uj7nBH7XvakPgSwHVoCHjqRGDnB4ni-iwPNTg6Zdhczv9PNJAUrgNUIbSx5Dmp7MbuH3TmhNut1LAbGTmdTd_" \
    "j4Ha9gBZHBpJc9VLgTThsLRDDgoQw3nbtYxIe_Sk"

#define VECTOR_JOSE_EDDSA \
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1w" \
    "bGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3" \
    "MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.i" \
    "26Y6_JAOAAJ0MGauPYXTh4dcC_ZKKBg-ZVAIvIMJvxf39Txq9Qwsk-GtrNskolASNVBC_gzlU3UWYF7XFgfAA"

#define VECTOR_JOSE_ED25519 \
    "eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoiZWQiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4Y" \
    "W1wbGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiO" \
    "jE3MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdf" \
    "Q.nsj5Xn0bakG-7cmuobW136QMREO5pqoU91An6Ave0J7uitcnMfDh1BLkx1tAoCzRFyD95BB7_pHx_UpAuwdCCQ"

/* Attacks: HS256 with the text of a public key as the secret; PS256 with a salt of 20 bytes, of
 * the longest; a signature of ES256 as DER; s replaced by the order less s (as good as s). */
#define VECTOR_CONFUSED \
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InJzIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1w" \
    "bGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3" \
    "MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.t" \
    "2_QziFd_0I0cTGHdVdKx05Y1Ceqbo9xgZ7viqaDQdM"

#define VECTOR_PS256_SALT20 \
    "eyJhbGciOiJQUzI1NiIsImtpZCI6InBzIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUiLCJzdWIiOiJh" \
    "ZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3MDAwMDAwMDAsImlh" \
    "dCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.KcsQ50Kj9CSzc9DzK" \
    "Sm8Cb8LZbHnkSBys0tGVSCaKaxRzaz0DV3gFRqiqpGJjfy3xkjoc-9jjLIu4R8iioQmvryruao1P7tMjjqk3-PRY" \
    "NAuvfa8UPJzA0ITyJTyuWWJg2fUIYHMWhKr7knSS2zlLaHphe7HtUbMPsJ0ZVTlD6aPjuBssu9e5sRpbY-bfbyMS" \
    "qi0QNSB7BFbraz7NPDFrklMn3G_9VFEaqisZ7b0B0pe7RQ7JiA2XG3GkmZHBEHV25n1P4NtQ6MG24rOWLxATcHqz" \
    "wQ-AxHF9EF2ZMe0e2sHMGEIbW_WN9VXptslRDKOVGI5iezcjpUn0o_Y-V0kDqMBmGqcuK-9Jqic8YyI_ByRPZ_jK" \
    "eOwKYeAEblr7Ksua1H_tM2arLp8sEuKSyU1TPuXM7PvLKWKXhPcTBolTKbeNEJWpQ0algyu6eVbnB5E2T6dXBlF-" \
    "E4ngi7T66wa2lWwuxgJ4b0HZEGBxtpw0tDBgVlNp_1cIFCHTuHo1A3qbwOAszGnHopWXLXJFbo_9bF4iWyjiswN_" \
    "SXF9sxQDtnjsMT86gtptoCsMbOKFXu3qjJAn1B9A5bBqe962BVKQMKi3_zY0doIkI1w2vHXGgntKHWw_Yu-OUlnd" \
    "OUjSndPI6jNtJcVveCjksjuxAoCyWW57NvoX-EzCBohcWnaoaU"

#define VECTOR_PS256_SALT_MAX \
    "eyJhbGciOiJQUzI1NiIsImtpZCI6InBzIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUiLCJzdWIiOiJh" \
    "ZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3MDAwMDAwMDAsImlh" \
    "dCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.FA2xUcHySY8GOBPK5" \
    "6kY_4RUof9ahrQqdOT7-aTjlzKvimx2V-aWLFpkIaCTFcrxouIV1CALP25lAjENBEIVtJGnpDS_pJwdrLyt5wcRw" \
    "ZS--No0ebOlPckhzTDR2YpNhrCH3oZ2NKcLFUhtMyQepuS8PipqwJxd7cabbOvEUMCnR1Nu1viCC-X-IA5YxOEVc" \
    "H_fdFsq9PFf0K3pOGkUaCp81Io95AFpLzjJT34Qc3enYpmfOuVYtizYn3U-q-jtyRS19T8yRB7DX41SL9JSWfwvW" \
    "nM6dy-yJjkA7RIHHoE3o2LHpgQR9J0JCfNlrKXZIIYJ3JFl3qrNfzrxC5G6xRM3_SwA-5qJpFTWvBeYmf0AOfuJf" \
    "Chs-a-0CSlpZATyxbxFzUDVRiwuG61nuZkE1ukCl78Fsb4gLNkCgLrk-1AlI8eZqU8b2eTeifKT803LtssW0Gidd" \
    "2JOWMFm09hPbi-AjG5-pus8vM76d_bjvqimKY1U3rnsr4KzyCphciS6BBJuRDtoHOiW-ZliulYUy1lH5l9cHgDLQ" \
    "E5-roMTPFDlLRuKj5Ux1o1eQc-0zrc5R2PNvTjC0G3BByACsgGZz7AnprHzXli4cjC5cX9gNQGkjEvNuGitAUuAT" \
    "Wp3lfmkRge8yZZzfeCHYbfGryQ1LySPqJVAbtYt_kxpxa7SiCM"

#define VECTOR_PS256_MGF_SHA1 \
    "eyJhbGciOiJQUzI1NiIsImtpZCI6InBzIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUiLCJzdWIiOiJh" \
    "ZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3MDAwMDAwMDAsImlh" \
    "dCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.DyAzzxRkgavtQ8nr_" \
    "4UUJq-m2nhYLHHmUN9IcIMJkoTcgM5dYkvzLZ9m4Ypadeyj0VqP5vyeut2XpBP7F3MwFHX7x5zB0xcfMvig8gSNO" \
    "B13YaBC2ABbEWVAU2scYHhoxdX6hCi2KVXC11gdCklQDDgrEZfqlaXghwHGJbAvUD1lueYxb96XGMXy7Zrrg54xu" \
    "aM2iZQTt5_JQejJcDQQNBif1yOiHu70SiIMToLmjN65ZQx35L7eyMasjJSMSBucEEu4ylGRvB_yojFp86GI5e-YH" \
    "trtagLOdKOnqkvFaJPXn2xtdMo4aKULPpa-b03L6HTHfuUHdHctGxENEDShtUj1ONCf6RZOyL4qEOxKoaHnFFKXE" \
    "VTzvYh0OJ8H3xNKTb7jQD3MD0MLiZx5sznV0nUtzG-lfptrgmJ-xWKxljCmeVRP04URY3c0XNneb7VRZ6ZhVdKax" \
    "3HUKLOS1p7foGgg53FM7dGarygeX1sH44k_Zs7vXxvaDtDq-67UgiQDMWbsJeQeG7DppPbYA3r6W2BchxUrv5UUU" \
    "Sa_h1qKDGZBoFaqJojnzWM95cH9lHGQRMHt9Swhl7nbUDs3E--oCd7Fel35QNt3T5cNHZsVFORAtNlwdDw4tyJ4t" \
    "QGoUPVTeJbkW1QlYwRiogpGj2IdycKVpedt9NNuy3Ecg3cee_c"

#define VECTOR_RS256_SHA512 \
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUiLCJzdWIiOiJh" \
    "ZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3MDAwMDAwMDAsImlh" \
    "dCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.OC0EH4IujllgUO4qv" \
    "nJ1DwgwqYlrHwYhmQGwvvXAS85mPoLpnjMFFuCWWwOkCc5PchwLXD1IqYKHgoYeapa9l3cnhlD3Wr8pnGWjtoE74" \
    "FiRIightgTlAAElb8mjRpawP7kC4AiHT53GKCuvlJG3a62j52uREsPHeVNck0-jtnvS2JVUju9ysTqCYjZA6V8zi" \
    "DO7FmUvdM4chA070Dh3x6MLanNUKAausrXYm-3SGTh0JB-P6UxI2fsglemdJ7kAr0n-hxv7igONJ6mGiGsjuov0R" \
    "-tb-J4u6onRif2ZSW_n0lepsaqrIoVVXpCDcBq_bBlWxgYELAfFbQJKy-cN7w"

#define VECTOR_ES256_DER \
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVzIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUiLCJzdWIiOiJh" \
    "ZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3MDAwMDAwMDAsImlh" \
    "dCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.MEUCIQC3mhaAGeFDb" \
    "-Enmlvtd8aqJhic9fBADb08Jt8UZe5GCQIgf8kqJr7ahwvRPpcYQI3DLqAuCKQ9pzApzthvXU-IbpM"

#define VECTOR_ES256_OTHER_S \
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVzIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUiLCJzdWIiOiJh" \
    "ZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3MDAwMDAwMDAsImlh" \
    "dCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.t5oWgBnhQ2_hJ5pb7" \
    "XfGqiYYnPXwQA29PCbfFGXuRgmANtXYQSV49S7BaOe_cjzRHLjyCWlwblsk4VtlrNq2vg"

/* The cube root of a DigestInfo with noise behind it, for an exponent of 3 (kid e3). */
#define VECTOR_RS256_CUBE_ROOT \
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImUzIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUiLCJzdWIiOiJh" \
    "ZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3MDAwMDAwMDAsImlh" \
    "dCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.AAAAAAAAAAAAAAAAA" \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAMsv9SnrceQVYPXZ1IPUWQHWRdtN4JvLvY649x66DZZkdPOxwQZjFg" \
    "0E-Tq3r5Vkfh6JmfMJgl_AHRnnDZ64z2P039f9zrFGbyCz8XiEeLV6OisRCBw"

#define VECTOR_E3_JWK \
    "{\"e\":\"Aw\",\"kty\":\"RSA\",\"n\":" \
    "\"t8T7TCKcVqUC3YnC89Iv7wEW7bIyOZmGyU7HPnUEjrjg4ItDFPbeHM3wHxGw8" \
    "M_jg_sgwZKK30duQOJOz96R3R0J4VLcuMBF8tA8b1HQCp013sHjtK5rLTZWPRizaSUWjrlyaQOPyJ66gvOhBYmQZ" \
    "sMSBb-6D-ifKCKrcMQKhChkiJdb3pUMHrTCoqUlngmsnngPEJdSbJsu8R4eRHynQ_8-pyUCu7DTWtDDnXleYbaBn" \
    "CS8v5m5dj_OBX3_4ZScI-ADRsJL43ckCGyraOCuxaEj1boLnGoTxGyglbiEKnzlVgbYJCnncsy0NlP0vP9zQjIyW" \
    "nmI0pGBGnE0eKqbLw\",\"kid\":\"e3\",\"alg\":\"RS256\"}"

#define VECTOR_E3 \
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImUzIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1w" \
    "bGUiLCJzdWIiOiJhZGEiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXSwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3" \
    "MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwianRpIjoiMSIsInJvbGUiOlsib3BlcmF0b3IiLCJndWVzdCJdfQ.H" \
    "GkYRaf9PXRfbm687Fpqm6jPuF1oWRLnr4jJIh7ljZAPewNxBZ7suDgmsP-a3ofIB_IsrYOAY9_IGCfn_pbweOSRn" \
    "X0ey-pjKxOyr3IrppgaLyQF4zUllxY9w6QjvDVv1iIJDeLo9Do4vSM1x38tWuLOk3IkhB5B6LtB0MYcC9IsjW9b6" \
    "feCkXtpXbnp4ohSy1GDkaza_KvWfbTx5kKC89BCPKiuzDwCfU3EpwBJ6N_Q2r4gvtqA-pek7QL80Vk3fHVE2UOQI" \
    "uoJt0ss7Rx_4qT505-MiJk9C6om3OwuEc6CpaEGlxRoX0Eof5ezfPYtaKn1U30Dwe9ePpIc3j_EJA"

/* A point of P-521 that says P-384, a point of P-256 in its short form, a key of X25519. */
#define VECTOR_PEM_LONG_POINT \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MIGbMBAGByqGSM49AgEGBSuBBAAiA4GGAAQARhk/wXu2sRn2i1alIySLGhe3frzFKiVlhRk9tJt1" \
    "tkeZOV5PO6qRxMjUAAAAAAHi6tEbj8IDaCSZ/ZmR/rVoWSveK4EEACMDgYYABABGGT/Be7ax9otW" \
    "AQcDQgAEZBtoA8I7BwNCZcVfv2CJTs+bJ+HzBsugZHdk1OrRG2iPJJn9lZk=" \
    "\n-----END PUBLIC KEY-----\n"

#define VECTOR_PEM_COMPRESSED \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgAC+rRnfddOjiUtPdgJiHflPYHpuIUZB3Wmjz46c1Ca" \
    "Akc=" \
    "\n-----END PUBLIC KEY-----\n"

#define VECTOR_PEM_X25519 \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MCowBQYDK2VuAyEArsuBs8i2doilKM8z7HiKJI8pNE6Io6cl8v3Sz6U/Bww=" \
    "\n-----END PUBLIC KEY-----\n"

#endif
