import type { Client } from '@urql/core';

import { CreateUploadDocument } from '../generated/graphql';
import { problemOf } from '../problems';

/** A file that could not be uploaded; the message is for people. */
export class NotUploaded extends Error {}

/** Declares a file, sends its content, and returns the id to attach it by. Raises NotUploaded. */
export async function upload(client: Client, file: File): Promise<string> {
  const content = await file.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', content));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const input = { name: file.name, mimeType: file.type, bytes: content.byteLength, sha256, idempotencyKey: crypto.randomUUID() };
  const { data, error } = await client.mutation(CreateUploadDocument, { input }).toPromise();
  const made = data?.createUpload;
  if (error && !made) throw new NotUploaded(problemOf(error).message);
  if (!made?.upload) throw new NotUploaded(made?.userErrors.map(({ message }) => message).join(' '));
  if (made.upload.url) {
    const answer = await fetch(made.upload.url, { method: 'PUT', body: content, headers: { 'content-type': file.type } });
    if (!answer.ok) throw new NotUploaded(`${file.name}: ${answer.status} ${await answer.text()}`);
  }
  return made.upload.id;
}
