"""Trees of images as people really have them, with what each file is to become.

A line a file: its path, then what is expected of it:

    train cat       an image of that split and class; - for no class, whole for no split
    left            left out, and counted
    system          passed over as what a system leaves behind
    used "1.png 0"  a text that is read, with its content; | ends a line

`LAYOUTS` are read without a question, `WARNED` with a warning, and `ASKED` are refused with a
sentence that asks.
"""

import re
import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A file of a layout; `content` is None for an image."""

    path: str
    kind: str
    label: str | None = None
    content: str | None = None


def entries(text: str) -> list[Entry]:
    found = []
    for line in text.strip().splitlines():
        path, kind, *rest = shlex.split(line)
        if kind in ("left", "system", "used"):
            content = rest[0].replace("|", "\n") if rest else "some text"
            found.append(Entry(path, kind, content=content))
        else:
            found.append(Entry(path, kind, None if rest[0] == "-" else rest[0]))
    return found


def named(name: str) -> str:
    """A test's id."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")


LAYOUTS = {
    "MNIST as PNG": """
        training/0/1.png train 0
        training/1/2.png train 1
        testing/0/3.png test 0
        testing/1/4.png test 1
    """,
    "MNIST as PNG, in a folder, in capitals": """
        mnist_png/Training/0/1.png train 0
        mnist_png/Training/10/2.png train 10
        mnist_png/Training/2/3.png train 2
        mnist_png/Testing/0/4.png test 0
    """,
    "short words": """
        trn/a/1.png train a
        dev/a/2.png validation a
        tst/a/3.png test a
    """,
    "long words": """
        Train/a/1.JPG train a
        VALIDATION/a/2.jpg validation a
        Test/a/3.jpg test a
    """,
    "splits without classes": """
        train/1.png train -
        val/2.png validation -
        test/3.png test -
    """,
    "splits without classes, with a folder of images in each": """
        set/train/images/1.png train -
        set/valid/images/2.png validation -
        set/test/images/3.png test -
        set/train/labels/1.txt left "0 0.5 0.5 0.1 0.1"
        set/test/labels/3.txt left "0 0.5 0.5 0.1 0.1"
        set/data.yaml left
    """,
    "images above the splits": """
        images/train/1.png train -
        images/val/2.png validation -
        labels/train/1.txt left "0 0.5 0.5 0.1 0.1"
        labels/val/2.txt left "0 0.5 0.5 0.1 0.1"
    """,
    "splits with a year": """
        train2017/1.jpg train -
        val2017/2.jpg validation -
        annotations/instances_train2017.json left
    """,
    "splits as one token of a folder's name": """
        seg_train/seg_train/forest/1.jpg train forest
        seg_train/seg_train/sea/2.jpg train sea
        seg_test/seg_test/forest/3.jpg test forest
        seg_test/seg_test/sea/4.jpg test sea
    """,
    "splits as one token, before the other": """
        train_images/cat/1.jpg train cat
        train_images/dog/2.jpg train dog
        test_images/cat/3.jpg test cat
    """,
    "ImageNet": """
        train/n01440764/n01440764_1.JPEG train n01440764
        train/n01443537/n01443537_1.JPEG train n01443537
        val/n01440764/ILSVRC2012_val_1.JPEG validation n01440764
        val/n01443537/ILSVRC2012_val_2.JPEG validation n01443537
    """,
    "Tiny ImageNet without its bare splits": """
        tiny-imagenet-200/train/n01/images/n01_0.JPEG train n01
        tiny-imagenet-200/train/n02/images/n02_0.JPEG train n02
        tiny-imagenet-200/train/n01/n01_boxes.txt left "n01_0.JPEG 0 10 63 58"
        tiny-imagenet-200/test/n01/images/test_0.JPEG test n01
        tiny-imagenet-200/wnids.txt left "n01|n02"
    """,
    "classes above the splits": """
        cat/train/1.png train cat
        cat/test/2.png test cat
        dog/train/3.png train dog
        dog/test/4.png test dog
    """,
    "classes above the splits, with images in between": """
        photos/cat/training/images/1.png train cat
        photos/dog/training/images/2.png train dog
        photos/cat/validation/images/3.png validation cat
        photos/cat/testing/images/4.png test cat
    """,
    "classes called train and test in each split": """
        train/train/1.png train train
        train/test/2.png train test
        train/bus/3.png train bus
        test/train/4.png test train
        test/test/5.png test test
        test/bus/6.png test bus
    """,
    "a class called val in each split": """
        training/val/1.png train val
        training/cat/2.png train cat
        valid/val/3.png validation val
        testing/val/4.png test val
        testing/cat/5.png test cat
    """,
    "only one class, called train": """
        train/train/1.png train train
        test/train/2.png test train
    """,
    "class folders alone": """
        cat/1.png whole cat
        dog/2.png whole dog
    """,
    "class folders alone, in two folders": """
        Kaggle/archive/2/1.png whole 2
        Kaggle/archive/10/2.png whole 10
    """,
    "images alone": """
        1.png whole -
        2.png whole -
    """,
    "images alone, in a folder": """
        celeba_hq/1.png whole -
        celeba_hq/2.png whole -
    """,
    "prefixes": """
        train_1.png train -
        train_2.png train -
        val_1.png validation -
        test_1.png test -
    """,
    "prefixes with class folders": """
        cat/training-1.png train cat
        dog/training-2.png train dog
        cat/testing-1.png test cat
    """,
    "no prefix: only a part of a word": """
        testimony_1.png whole -
        trainer_2.png whole -
        validity_3.png whole -
    """,
    "no prefix: of one file only": """
        cat/1.png whole cat
        cat/test_2.png whole cat
        dog/3.png whole dog
    """,
    "CelebA's own tree": """
        Img/img_align_celeba/000001.jpg train -
        Img/img_align_celeba/000002.jpg validation -
        Img/img_align_celeba/000003.jpg test -
        Eval/list_eval_partition.txt used "000001.jpg 0|000002.jpg 1|000003.jpg 2"
        Anno/identity_CelebA.txt left "000001.jpg 2880|000002.jpg 2937|000003.jpg 8692"
        Anno/list_attr_celeba.txt left "3|Bald Male|000001.jpg -1 1|000002.jpg 1 1|000003.jpg 1 -1"
        README.txt left
    """,
    "CelebA in a folder, as CSV": """
        CelebA/img_align_celeba/img_align_celeba/000001.jpg train -
        CelebA/img_align_celeba/img_align_celeba/000002.jpg test -
        CelebA/list_eval_partition.csv used "image_id,partition|000001.jpg,0|000002.jpg,2"
        CelebA/list_attr_celeba.csv left "image_id,Bald|000001.jpg,-1|000002.jpg,1"
    """,
    "CelebA with the partition beside its images": """
        list_eval_partition.txt used "1.png 0|2.png 2|3.png 1"
        img_align_celeba/1.png train -
        img_align_celeba/2.png test -
        img_align_celeba/3.png validation -
    """,
    "a partition with words and classes": """
        images/cat/1.png train cat
        images/dog/2.png test dog
        images/dog/3.png train dog
        splits.csv used "file,split|cat/1.png,train|dog/2.png,testing|dog/3.png,trn"
    """,
    "a partition by tabs, names without endings": """
        cat/1.png train cat
        train/2.png test train
        train/3.png train train
        meta/partition.tsv used "id\tsubset|1\t0|2\t2|3\t0"
    """,
    "lists": """
        JPEGImages/2007_1.jpg train -
        JPEGImages/2007_2.jpg validation -
        JPEGImages/2007_3.jpg train -
        ImageSets/Main/train.txt used "2007_1|2007_3"
        ImageSets/Main/val.txt used "2007_2"
        ImageSets/Main/trainval.txt left "2007_1|2007_2|2007_3"
        Annotations/2007_1.xml left
    """,
    "lists with folders and classes": """
        images/pie/1.jpg train pie
        images/pie/2.jpg test pie
        images/tart/1.jpg test tart
        images/tart/2.jpg train tart
        meta/train.txt used "pie/1|tart/2"
        meta/test.txt used "pie/2|tart/1"
        meta/classes.txt left "pie|tart"
    """,
    "lists of all but train": """
        yes/1.png validation yes
        yes/2.png train yes
        no/3.png test no
        no/4.png train no
        validation_list.txt used "yes/1.png"
        testing_list.txt used "no/3.png"
    """,
    "what systems leave behind": """
        cat/1.png whole cat
        dog/2.png whole dog
        cat/@eaDir/1.png system
        .ipynb_checkpoints/1.png system
        __MACOSX/cat/._1.png system
        Thumbs.db system
        dog/desktop.ini system
        .hidden/3.png system
        .DS_Store system
    """,
    "what systems leave behind, below splits": """
        train/cat/1.png train cat
        test/cat/2.png test cat
        train/@eaDir/cat/1.jpg system
        test/.ipynb_checkpoints/2-checkpoint.png system
        #recycle/test/cat/9.png system
        train/cat/THUMBS.DB system
        .git/config system
    """,
    "archives beside images": """
        Img/img_align_celeba/1.png train -
        Img/img_align_celeba/2.png test -
        Img/img_celeba.7z/img_celeba.7z.001 left
        Img/img_align_celeba.zip left
        Eval/list_eval_partition.txt used "1.png 0|2.png 2"
    """,
    "names with signs of patterns": """
        "photos [2024]/train/a*b/1.png" train a*b
        "photos [2024]/test/a*b/2?.png" test a*b
    """,
}

WARNED = {
    "a class that train does not have": (
        """
        train/cat/1.png train cat
        test/cat/2.png test cat
        test/dog/3.png test dog
        """,
        "no train image has the class dog",
    ),
    "classes that only test has": (
        """
        training/1/1.png train 1
        training/2/2.png train 2
        testing/1/3.png test 1
        testing/3/4.png test 3
        """,
        "no train image has the class 3",
    ),
    "a split without classes": (
        """
        train/cat/1.png train cat
        train/dog/2.png train dog
        test/3.png test -
        """,
        "1 image of test without a class",
    ),
    "Tiny ImageNet": (
        """
        train/n01/images/n01_0.JPEG train n01
        val/images/val_0.JPEG validation -
        test/images/test_0.JPEG test -
        val/val_annotations.txt left "val_0.JPEG n01 0 32 44 62"
        """,
        "1 image of validation without a class",
    ),
    "folders below classes": (
        """
        Greek/alpha/1.png whole Greek
        Greek/beta/2.png whole Greek
        Latin/a/3.png whole Latin
        """,
        "3 folders below those of the classes are not told apart, such as Greek/alpha",
    ),
    "folders below classes, below splits": (
        """
        train/animal/cat/1.png train animal
        train/plant/2.png train plant
        test/animal/dog/3.png test animal
        """,
        "2 folders below",
    ),
    "one name in two Unicode forms": (
        """
        train/caf\u00e9/1.png train caf\u00e9
        train/bar/2.png train bar
        test/cafe\u0301/3.png test caf\u00e9
        """,
        "written in 2 Unicode forms",
    ),
    "one name in two Unicode forms, without splits": (
        """
        A\u030angstrom/1.png whole \u00c5ngstrom
        \u00c5ngstrom/2.png whole \u00c5ngstrom
        B/3.png whole B
        """,
        "written in 2 Unicode forms",
    ),
    "a class with a word of a split in its name": (
        """
        bullet_train/1.png whole bullet_train
        bus/2.png whole bus
        """,
        "bullet_train is taken for a class, not for a split",
    ),
    "classes whose names say two splits": (
        """
        train_test_a/1.png whole train_test_a
        train_test_b/2.png whole train_test_b
        """,
        "train_test_b is taken for a class, not for a split",
    ),
    "prefixes of some files": (
        """
        train_1.png whole -
        test_2.png whole -
        3.png whole -
        """,
        "2 names of 3 with the word of a split in front",
    ),
    "a partition of more images than there are": (
        """
        img/1.png train -
        img/2.png test -
        list_eval_partition.txt used "1.png 0|2.png 2|3.png 0|4.png 1"
        """,
        "2 lines of list_eval_partition.txt with names of images that are not here",
    ),
    "lists that say more": (
        """
        img/1.jpg train -
        img/2.jpg test -
        train.txt used "img/1.jpg 7"
        test.txt used "img/2.jpg 7"
        """,
        "says more about the images than their splits",
    ),
    "a file that looks like a partition": (
        """
        images/1/a.jpg whole 1
        images/2/b.jpg whole 2
        train_test_split.txt left "1001 0|1002 1"
        """,
        "train_test_split.txt looks like a partition",
    ),
}

ASKED = {
    "a split folder beside other folders": (
        "train/1.png extra/2.png",
        "train looks like a split, but lies beside the folders extra; are these splits or classes",
    ),
    "split folders beside another": (
        "train/a/1.png test/a/2.png holdout/a/3.png",
        "holdout/a/3.png lies beside the folders of the splits",
    ),
    "tokens of splits beside another": (
        "seg_train/a/1.png seg_test/a/2.png seg_pred/3.png",
        "seg_test, seg_train looks like a split, but lies beside the folders seg_pred",
    ),
    "a class called train, without splits": (
        "bus/1.png car/2.png train/3.png",
        "train looks like a split",
    ),
    "a class called test, deeper": (
        "animals/cat/1.png tools/test/2.png",
        "test looks like a split",
    ),
    "an image beside splits": (
        "train/1.png test/2.png 3.png",
        "3.png lies beside the folders of the splits",
    ),
    "a folder of two splits beside one": (
        "train_val/1.png test/2.png",
        "test looks like a split, but lies beside the folders train_val",
    ),
    "two folders for one split": (
        "train/1.png training/2.png test/3.png",
        "2 folders for train: train, training",
    ),
    "two folders for one split, as tokens": (
        "val_1/1.png val_2/2.png train_1/3.png",
        "2 folders for validation: val_1, val_2",
    ),
    "an empty split folder": ("train/1.png test/", "the folder test holds no images"),
    "an empty split folder beside images": ("1.png 2.png testing/", "testing holds no images"),
    "an empty class folder": ("train/cat/1.png train/dog/ test/cat/2.png", "train/dog holds no"),
    "images beside class folders": (
        "cat/1.png 2.png dog/3.png",
        "2.png lies beside class folders",
    ),
    "classes that differ by case": ("Cat/1.png cat/2.png", "'Cat' and 'cat' differ only by case"),
    "classes that differ by case, in two splits": (
        "train/Dog/1.png train/x/2.png test/dog/3.png",
        "'Dog' and 'dog' differ only by case",
    ),
    "classes that differ by leading zeros": ("train/1/1.png test/01/2.png", "differ only by"),
    "classes above and below the splits": (
        "bottle/train/good/1.png bottle/test/good/2.png cable/train/good/3.png"
        " cable/test/bent/4.png",
        "two folders that could be its class",
    ),
    "only train": ("train/1.png train/2.png", "has only a train part: give the test images"),
    "only train, with classes": ("x/Training/a/1.png x/Training/b/2.png", "--test-share 0.1"),
    "only test": ("test/1.png test/2.png", "has no train part, only test"),
}
